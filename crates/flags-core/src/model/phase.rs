//! [`RolloutPhase`].

use serde::{Deserialize, Serialize};

use super::serde_with::{instant, null_as_default, whole};
use crate::name::{FlagId, RolloutPhaseId};
use crate::open::{Extra, open_record};
use crate::time::Timestamp;

/// One step of a gradual rollout: a percentage from an instant on. Lives and dies with its flag (C6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct RolloutPhase {
    /// Its id.
    pub id: RolloutPhaseId,
    /// The flag it rolls out.
    pub flag_id: FlagId,
    /// Its place in the rollout, from 1.
    #[serde(deserialize_with = "whole")]
    pub phase_number: i64,
    /// The percentage that every rule gets, 0 to 100.
    #[serde(deserialize_with = "whole")]
    pub target_percentage: i64,
    /// When it is due.
    pub scheduled_at: Timestamp,
    /// Whether it is done with.
    #[serde(default, deserialize_with = "null_as_default")]
    pub executed: bool,
    /// When it was executed.
    #[serde(default, deserialize_with = "instant")]
    pub executed_at: Option<Timestamp>,
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

open_record!(RolloutPhase);

impl RolloutPhase {
    /// A pending phase, with a new id.
    #[must_use]
    pub fn new(flag_id: FlagId, phase_number: i64, target_percentage: i64, scheduled_at: Timestamp) -> Self {
        Self {
            id: RolloutPhaseId::new(),
            flag_id,
            phase_number,
            target_percentage,
            scheduled_at,
            executed: false,
            executed_at: None,
            created_at: None,
            updated_at: None,
            error: None,
            extra: Extra::default(),
        }
    }
}
