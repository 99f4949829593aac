//! [`Hook`]: code of the application around every evaluation.

use std::fmt::{self, Debug};

use flags_core::{BoxError, Json};
use flags_engine::{Details, EvaluationContext};

/// What an evaluation is about: OpenFeature's hook context.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct HookContext<'a> {
    /// The flag.
    pub flag_key: &'a str,
    /// For whom.
    pub context: &'a EvaluationContext,
    /// The caller's default.
    pub default: TypedValue<'a>,
}

/// A value of the type that was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum TypedValue<'a> {
    /// Of `bool_value` and `bool_details`.
    Boolean(bool),
    /// Of `string_value` and `string_details`.
    String(&'a str),
    /// Of `integer_value` and `integer_details`.
    Integer(i64),
    /// Of `float_value` and `float_details`.
    Float(f64),
    /// Of `json_value` and `json_details`.
    Json(&'a Json),
}

impl fmt::Display for TypedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => fmt::Display::fmt(value, f),
            Self::String(value) => fmt::Display::fmt(value, f),
            Self::Integer(value) => fmt::Display::fmt(value, f),
            Self::Float(value) => fmt::Display::fmt(value, f),
            Self::Json(value) => fmt::Display::fmt(value, f),
        }
    }
}

/// Runs before and after every evaluation, in OpenFeature's stages. Every method has a default that does
/// nothing.
///
/// Hooks run in the thread that evaluates, and that waits for them: they must not block. `before` runs in the
/// order in which the hooks were given, the other stages in the reverse of it. Without hooks an evaluation
/// pays nothing for them. [`Client::all`](crate::Client::all) runs none.
pub trait Hook: Debug + Send + Sync + 'static {
    /// Before the evaluation. May give another context to evaluate, which later hooks see:
    /// `Ok(None)` leaves it as it is. Where overrides are fetched [on
    /// demand](crate::Overrides::OnDemand), that context is to be prepared like any other; a
    /// snapshot knows those of the context that it was prepared for.
    ///
    /// # Errors
    ///
    /// An error ends the evaluation: it answers the caller's default, with GENERAL_ERROR. The error itself
    /// goes no further; a hook that wants it seen reports it.
    fn before(&self, evaluation: &HookContext<'_>) -> Result<Option<EvaluationContext>, BoxError> {
        let _ = evaluation;
        Ok(None)
    }

    /// After an evaluation without an error.
    fn after(&self, evaluation: &HookContext<'_>, details: &Details<'_, TypedValue<'_>>) {
        let _ = (evaluation, details);
    }

    /// After an evaluation with an error: also one that a `before` refused.
    fn error(&self, evaluation: &HookContext<'_>, details: &Details<'_, TypedValue<'_>>) {
        let _ = (evaluation, details);
    }

    /// After all, whatever happened.
    fn finally(&self, evaluation: &HookContext<'_>, details: &Details<'_, TypedValue<'_>>) {
        let _ = (evaluation, details);
    }
}
