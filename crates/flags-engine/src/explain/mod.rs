//! [`Explanation`]: one decision, step by step, as data.

mod record;
mod tree;

use flags_core::{FlagStatus, Json, RuleId, Timestamp};
use serde::Serialize;

use crate::details::{ErrorCode, Reason};
use crate::semantics::Semantics;

pub(crate) use record::explain;

/// How a decision came about. `Display` is a tree for people; serde gives the same as data.
///
/// Made by [`Evaluator::explain`](crate::Evaluator::explain). It decides just as the other methods do, with
/// somebody watching, so it cannot say anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The flag's key.
    pub flag: String,
    /// The flag's status; `None` when there is no such flag.
    pub status: Option<FlagStatus>,
    /// The semantics.
    pub semantics: Semantics,
    /// The instant of evaluation.
    pub at: Timestamp,
    /// Each override that was looked up.
    pub overrides: Vec<OverrideStep>,
    /// Each time schedule that was asked.
    pub time_schedules: Vec<ScheduleStep>,
    /// Each rule that was tried.
    pub rules: Vec<RuleStep>,
    /// Where the context fell among the variants.
    pub variants: Option<VariantStep>,
    /// What came of it.
    pub decision: Outcome,
}

/// An override that was looked up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OverrideStep {
    /// `user`, `organization`, `tenant` or `targeting_key`.
    pub entity_type: String,
    /// Which one.
    pub entity_id: String,
    /// What was there.
    pub found: Found,
}

/// What was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it all")]
#[non_exhaustive]
pub enum Found {
    Nothing,
    Expired,
    Override,
}

/// A time schedule that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScheduleStep {
    /// Its name.
    pub name: String,
    /// Whether it is active.
    pub verdict: Verdict,
}

/// Whether something holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It says nothing that this semantics knows.
    PassedOver,
    /// It could not be judged, and why.
    Error(String),
}

/// A rule that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleStep {
    /// Its id.
    pub id: RuleId,
    /// Its name.
    pub name: String,
    /// Its priority.
    pub priority: i64,
    /// A disabled rule is passed by.
    pub enabled: bool,
    /// Its conditions, up to the first that does not hold.
    pub conditions: Vec<ConditionStep>,
    /// Its percentage, if it has one and it came to that.
    pub rollout: Option<RolloutStep>,
    /// Whether it decided.
    pub matched: bool,
}

/// A condition that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConditionStep {
    /// The condition, as it is stored: attribute, operator and expected value.
    pub condition: Json,
    /// The attribute's value; null when the context has none, or the condition asks for none.
    pub actual: Json,
    /// Whether it holds.
    pub verdict: Verdict,
}

/// A percentage that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RolloutStep {
    /// The bucket, 1 to 100; `None` without a targeting key, which is in no rollout.
    pub bucket: Option<u32>,
    /// Buckets up to this one are in.
    pub percentage: i64,
    /// Whether the bucket is in.
    pub within: bool,
}

/// Where the context fell among the variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VariantStep {
    /// The bucket, from 0.
    pub bucket: u64,
    /// How many buckets there are.
    pub buckets: u64,
    /// The variants in order of their keys. The first whose `below` is past the bucket is chosen, else the
    /// last.
    pub variants: Vec<VariantShare>,
}

/// One variant's share of the buckets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VariantShare {
    /// Its key.
    pub key: String,
    /// It gets the buckets below this that no earlier one gets.
    pub below: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The value; `None`, written as null, is the caller's default.
    pub value: Option<Json>,
    /// Why.
    pub reason: Reason,
    /// The variant.
    pub variant: Option<String>,
    /// What went wrong.
    pub error_code: Option<ErrorCode>,
    /// What went wrong, in words.
    pub error_message: Option<String>,
}
