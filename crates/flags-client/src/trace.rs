//! An event for each evaluation, in the terms of OpenTelemetry's semantic conventions for feature flags.

use flags_engine::{Details, ErrorCode, EvaluationContext};
use tracing::Value;

use crate::hook::TypedValue;

/// The target of the events, to filter by.
const TARGET: &str = "flags_client::evaluation";

/// Of which evaluations the events name the value: it may be personal, or large, and a variant says
/// as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TracedValues {
    /// Of those that have no variant, as the conventions have it.
    #[default]
    WithoutVariant,
    /// Of all.
    Always,
}

/// Whether anybody wants the events.
pub(crate) fn is_on() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::TRACE)
}

/// The event of one evaluation: `feature_flag.evaluation`, at trace level, within the caller's span.
pub(crate) fn evaluated(
    provider: &'static str,
    values: TracedValues,
    key: &str,
    context: &EvaluationContext,
    details: &Details<'_, TypedValue<'_>>,
) {
    // The conventions write reasons in lower case.
    let reason = details.reason.openfeature().to_ascii_lowercase();
    let error = details.error.map(|error| error_type(error.code()));
    let message = details.error.map(|error| error.to_string());
    let value: &dyn Value = match &details.value {
        TypedValue::Boolean(value) => value,
        TypedValue::String(value) => value,
        TypedValue::Integer(value) => value,
        TypedValue::Float(value) => value,
        TypedValue::Json(value) => &value.text(),
    };
    let value = (values == TracedValues::Always || details.variant.is_none()).then_some(value);
    tracing::event!(
        name: "feature_flag.evaluation",
        target: TARGET,
        tracing::Level::TRACE,
        feature_flag.key = key,
        feature_flag.provider.name = provider,
        feature_flag.context.id = context.targeting_key(),
        feature_flag.result.variant = details.variant,
        feature_flag.result.value = value,
        feature_flag.result.reason = reason,
        error.type = error,
        feature_flag.error.message = message,
    );
}

/// The names of errors, which are not all those of OpenFeature in lower case.
fn error_type(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::FlagNotFound => "flag_not_found",
        ErrorCode::TypeMismatch => "type_mismatch",
        ErrorCode::ParseError => "parse_error",
        ErrorCode::ProviderNotReady => "provider_not_ready",
        ErrorCode::GeneralError => "general",
        _ => "_OTHER",
    }
}
