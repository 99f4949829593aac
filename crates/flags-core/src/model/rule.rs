//! [`Rule`].

use serde::{Deserialize, Serialize};

use super::Condition;
use super::serde_with::{null_as_default, whole, whole_or_null};
use crate::json::Json;
use crate::name::RuleId;
use crate::open::{Extra, open_record};

/// A targeting rule of a flag: if all conditions hold, and the bucket is within the percentage, it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Rule {
    /// Its id within the flag.
    pub id: RuleId,
    /// For people; also the variant that a match reports.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// The lowest is tried first.
    #[serde(deserialize_with = "whole")]
    pub priority: i64,
    /// Whether it is tried at all.
    pub enabled: bool,
    /// All of them must hold. None: everyone matches.
    #[serde(default, deserialize_with = "null_as_default")]
    pub conditions: Vec<Condition>,
    /// What a boolean flag answers on a match.
    pub serve_enabled: bool,
    /// What another flag answers on a match; `None` is JSON `null`.
    #[serde(default)]
    pub serve_value: Option<Json>,
    /// The share of targeting keys it applies to, in percent (0 to 100); `None` is everyone.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub rollout_percentage: Option<i64>,
    /// Members that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

open_record!(Rule);

impl Rule {
    /// An enabled rule of priority 0 that serves `true` to everyone, with a new id.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            id: RuleId::new(),
            name: name.into(),
            description: None,
            priority: 0,
            enabled: true,
            conditions: Vec::new(),
            serve_enabled: true,
            serve_value: None,
            rollout_percentage: None,
            extra: Extra::default(),
        }
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }
}
