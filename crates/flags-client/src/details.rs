//! [`EvaluationDetails`]: an answer that borrows nothing.

use flags_core::{FlagStatus, FlagType, RuleId};
use flags_engine::{Details, ErrorCode, Reason};

/// The answer of one evaluation, and how it came about, in OpenFeature's terms.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EvaluationDetails<T> {
    /// The flag that was asked for.
    pub flag_key: String,
    /// The value: the flag's, or the caller's default.
    pub value: T,
    /// Why.
    pub reason: Reason,
    /// The variant: a variant's key, the name of the rule that matched, or `schedule:` and the name of a
    /// schedule.
    pub variant: Option<String>,
    /// What went wrong, if the value is the caller's default for an error.
    pub error_code: Option<ErrorCode>,
    /// The same in words.
    pub error_message: Option<String>,
    /// The rule that matched.
    pub rule: Option<RuleInfo>,
    /// What the flag says of itself, if there is one.
    pub metadata: Option<FlagInfo>,
}

/// The rule that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleInfo {
    /// Its id.
    pub id: RuleId,
    /// Its name.
    pub name: String,
}

/// What a flag says of itself: OpenFeature's flag metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlagInfo {
    /// The type of its values.
    pub flag_type: FlagType,
    /// Where it is in its life.
    pub status: FlagStatus,
    /// Its tags.
    pub tags: Vec<String>,
}

impl<T> EvaluationDetails<T> {
    /// A copy of what borrows from the rules.
    #[must_use]
    pub fn new(flag_key: impl Into<String>, details: Details<'_, T>) -> Self {
        Self {
            flag_key: flag_key.into(),
            reason: details.reason,
            variant: details.variant.map(str::to_owned),
            error_code: details.error_code(),
            error_message: details.error.map(|error| error.to_string()),
            rule: details.rule.map(|rule| RuleInfo { id: rule.id, name: rule.name.to_owned() }),
            metadata: details.metadata.map(|metadata| FlagInfo {
                flag_type: metadata.flag_type,
                status: metadata.status,
                tags: metadata.tags.to_vec(),
            }),
            value: details.value,
        }
    }
}
