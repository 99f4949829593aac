//! [`ScheduledChange`].

use serde::{Deserialize, Serialize};

use super::serde_with::{instant, null_as_default, whole_or_null};
use super::word_enum;
use crate::json::Json;
use crate::name::{FlagId, ScheduledChangeId};
use crate::open::{Extra, open_record};
use crate::time::Timestamp;

word_enum! {
    /// What a scheduled change does to its flag.
    ChangeType {
        /// Status active, default on.
        Enable = "enable",
        /// Status inactive, default off.
        Disable = "disable",
        /// The default value becomes the new one.
        UpdateValue = "update_value",
        /// The percentage of every rule becomes the new one.
        UpdateRollout = "update_rollout",
    }
}

/// A change to a flag at an instant. Lives and dies with its flag (C6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct ScheduledChange {
    /// Its id.
    pub id: ScheduledChangeId,
    /// The flag it changes.
    pub flag_id: FlagId,
    /// What it does.
    pub change_type: ChangeType,
    /// When it is due.
    pub scheduled_at: Timestamp,
    /// Whether it is done with.
    #[serde(default, deserialize_with = "null_as_default")]
    pub executed: bool,
    /// When it was executed.
    #[serde(default, deserialize_with = "instant")]
    pub executed_at: Option<Timestamp>,
    /// Of [`ChangeType::UpdateValue`]: the new default value; `None` is JSON `null`.
    #[serde(default)]
    pub new_value: Option<Json>,
    /// Of [`ChangeType::UpdateRollout`]: the new percentage, 0 to 100.
    #[serde(default, deserialize_with = "whole_or_null")]
    pub new_rollout_percentage: Option<i64>,
    /// Who planned it.
    #[serde(default)]
    pub created_by: Option<String>,
    /// When it was created.
    #[serde(default, deserialize_with = "instant")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, deserialize_with = "instant")]
    pub updated_at: Option<Timestamp>,
    /// Why it could not be applied. The origin does not know this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Members that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

open_record!(ScheduledChange);

impl ScheduledChange {
    /// A pending change, with a new id.
    #[must_use]
    pub fn new(flag_id: FlagId, change_type: ChangeType, scheduled_at: Timestamp) -> Self {
        Self {
            id: ScheduledChangeId::new(),
            flag_id,
            change_type,
            scheduled_at,
            executed: false,
            executed_at: None,
            new_value: None,
            new_rollout_percentage: None,
            created_by: None,
            created_at: None,
            updated_at: None,
            error: None,
            extra: Extra::default(),
        }
    }
}
