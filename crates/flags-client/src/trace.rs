//! An event for each evaluation, in the terms of OpenTelemetry's semantic conventions for feature flags.

use flags_engine::{Details, EvaluationContext};

use crate::hook::TypedValue;

/// The target of the events, to filter by.
const TARGET: &str = "flags_client::evaluation";

/// Whether anybody wants the events.
pub(crate) fn is_on() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::TRACE)
}

/// The event of one evaluation: `feature_flag.evaluation`, at trace level, within the caller's span.
pub(crate) fn evaluated(
    provider: &'static str,
    key: &str,
    context: &EvaluationContext,
    details: &Details<'_, TypedValue<'_>>,
) {
    // The conventions write reasons and error types in lower case.
    let reason = details.reason.openfeature().to_ascii_lowercase();
    let error = details.error.map(|error| error.code().as_str().to_ascii_lowercase());
    let message = details.error.map(|error| error.to_string());
    tracing::event!(
        name: "feature_flag.evaluation",
        target: TARGET,
        tracing::Level::TRACE,
        feature_flag.key = key,
        feature_flag.provider.name = provider,
        feature_flag.context.id = context.targeting_key(),
        feature_flag.result.variant = details.variant,
        feature_flag.result.value = %details.value,
        feature_flag.result.reason = reason,
        error.type = error,
        feature_flag.error.message = message,
    );
}
