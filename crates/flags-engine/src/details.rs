//! What an evaluation answers: [`Details`], its reason and its error.

use std::fmt;

use flags_core::{FlagStatus, FlagType, Rule, RuleId};
use serde::Serialize;

use crate::raised::Raised;
use crate::served::Answer;

/// Why a value is the answer. OpenFeature's reasons, and one of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Reason {
    /// There is no such flag: the caller's default.
    Default,
    /// Nothing singled the context out: the flag's default.
    Static,
    /// A rule matched, or a time schedule is active.
    TargetingMatch,
    /// An override of this user, organization, tenant or targeting key. OpenFeature has no such reason.
    Override,
    /// The context fell to a variant.
    Split,
    /// The flag is not active, or none of its time schedules is.
    Disabled,
    /// The flag could not be evaluated: the caller's default.
    Error,
}

impl Reason {
    /// The reason as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "DEFAULT",
            Self::Static => "STATIC",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Override => "OVERRIDE",
            Self::Split => "SPLIT",
            Self::Disabled => "DISABLED",
            Self::Error => "ERROR",
        }
    }

    /// The reason in OpenFeature's vocabulary, where an override is a targeting match.
    #[must_use]
    pub const fn openfeature(self) -> &'static str {
        match self {
            Self::Override => Self::TargetingMatch.as_str(),
            other => other.as_str(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// OpenFeature's error codes, those that an engine can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ErrorCode {
    /// There is no such flag.
    FlagNotFound,
    /// The value is not of the asked type.
    TypeMismatch,
    /// A request could not be read.
    ParseError,
    /// Nothing was loaded yet that could decide.
    ProviderNotReady,
    /// Anything else.
    GeneralError,
}

impl ErrorCode {
    /// The code as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlagNotFound => "FLAG_NOT_FOUND",
            Self::TypeMismatch => "TYPE_MISMATCH",
            Self::ParseError => "PARSE_ERROR",
            Self::ProviderNotReady => "PROVIDER_NOT_READY",
            Self::GeneralError => "GENERAL_ERROR",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why an evaluation answers the caller's default. `Display` is the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvaluationError(pub(crate) Failure);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is no such flag")]
    NotFound,
    #[error("the flag answers with {actual}, not {asked}")]
    TypeMismatch { asked: &'static str, actual: flags_core::json::JsonType },
    #[error("the flag is of type {actual}, not {asked}")]
    OtherFlagType { asked: FlagType, actual: FlagType },
    #[error("the flags are not loaded yet")]
    NotReady,
    #[error("the overrides of this context are not loaded; prepare the context first")]
    NotPrepared,
    #[error("a hook refused the evaluation")]
    Hook,
    #[error(transparent)]
    Raised(Raised),
}

impl EvaluationError {
    /// No flags were loaded yet.
    pub const NOT_READY: Self = Self(Failure::NotReady);
    /// The overrides of the context were not loaded yet, and one of them might decide.
    pub const NOT_PREPARED: Self = Self(Failure::NotPrepared);
    /// A hook of the application refused the evaluation.
    pub const HOOK: Self = Self(Failure::Hook);

    /// OpenFeature's code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self.0 {
            Failure::NotFound => ErrorCode::FlagNotFound,
            Failure::TypeMismatch { .. } | Failure::OtherFlagType { .. } => ErrorCode::TypeMismatch,
            Failure::NotReady | Failure::NotPrepared => ErrorCode::ProviderNotReady,
            Failure::Hook | Failure::Raised(_) => ErrorCode::GeneralError,
        }
    }
}

/// The answer of one evaluation, and how it came about. It borrows from the [`Ruleset`](crate::Ruleset).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Details<'r, T> {
    /// The value: the flag's, or the caller's default.
    pub value: T,
    /// Why.
    pub reason: Reason,
    /// The variant: a variant's key, the name of the rule that matched, or `schedule:` and the name of a
    /// schedule.
    pub variant: Option<&'r str>,
    /// Why the value is the caller's default, if it is for an error.
    pub error: Option<EvaluationError>,
    /// The rule that matched.
    pub rule: Option<MatchedRule<'r>>,
    /// What the flag says of itself, if there is one.
    pub metadata: Option<FlagMetadata<'r>>,
}

/// An evaluation before anyone asks for a type: without a value, the caller's default is the answer.
pub type Decision<'r> = Details<'r, Option<Answer<'r>>>;

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MatchedRule<'r> {
    /// Its id.
    pub id: RuleId,
    /// Its name.
    pub name: &'r str,
}

impl<'r> From<&'r Rule> for MatchedRule<'r> {
    fn from(rule: &'r Rule) -> Self {
        Self { id: rule.id, name: &rule.name }
    }
}

/// What a flag says of itself: OpenFeature's flag metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FlagMetadata<'r> {
    /// The type of its values.
    pub flag_type: FlagType,
    /// Where it is in its life.
    pub status: FlagStatus,
    /// Its tags.
    pub tags: &'r [String],
}

impl<'r, T> Details<'r, T> {
    /// The caller's default, for an error that kept anything from being evaluated.
    #[must_use]
    pub fn not_evaluated(default: T, error: EvaluationError) -> Self {
        Self {
            value: default,
            reason: Reason::Error,
            variant: None,
            error: Some(error),
            rule: None,
            metadata: None,
        }
    }

    /// The same answer with its value borrowed.
    #[must_use]
    pub fn as_ref(&self) -> Details<'r, &T> {
        let Self { ref value, reason, variant, error, rule, metadata } = *self;
        Details { value, reason, variant, error, rule, metadata }
    }

    /// The same answer with its value turned into another.
    #[must_use]
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Details<'r, U> {
        let Self { value, reason, variant, error, rule, metadata } = self;
        Details { value: turn(value), reason, variant, error, rule, metadata }
    }

    /// The error's code, if there is one.
    #[must_use]
    pub fn error_code(&self) -> Option<ErrorCode> {
        self.error.map(|error| error.code())
    }

    /// With another value, all else alike.
    pub(crate) fn with<U>(self, value: U) -> Details<'r, U> {
        self.map(|_| value)
    }
}

impl Decision<'_> {
    /// The answer to an evaluation that failed.
    pub(crate) fn failed(reason: Reason, failure: Failure) -> Self {
        let error = Some(EvaluationError(failure));
        Self { value: None, reason, variant: None, error, rule: None, metadata: None }
    }
}
