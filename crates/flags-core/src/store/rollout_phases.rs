//! Rollout phases.

use super::{FlagStore, Listing, Versioned};
use crate::error::Result;
use crate::model::RolloutPhase;
use crate::name::{FlagId, RolloutPhaseId};
use crate::record::{Key, Kind};
use crate::storage::{Expect, Query, Revision};

impl FlagStore {
    /// The rollout phases of that flag, by number, then id.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied`, `Closed`. Those that cannot be read are in the listing.
    pub async fn get_rollout_phases(&self, flag_id: FlagId) -> Result<Listing<RolloutPhase>> {
        let listing = self.list(Query::Owned(Kind::RolloutPhase, flag_id)).await;
        let mut listing: Listing<RolloutPhase> = listing.map_err(|e| e.in_operation("get_rollout_phases"))?;
        listing.records.sort_by_key(|phase| (phase.phase_number, phase.id));
        Ok(listing)
    }

    /// The rollout phase of that id.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it cannot be read; `Unavailable`, `Denied`, `Closed`.
    pub async fn get_rollout_phase(&self, id: RolloutPhaseId) -> Result<Option<Versioned<RolloutPhase>>> {
        self.read(&Key::RolloutPhase(id)).await.map_err(|e| e.in_operation("get_rollout_phase"))
    }

    /// Creates a rollout phase, stamping `created_at` and `updated_at` where they are absent.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; `NotFound` when its flag does not exist; `Invalid`, naming the member; `Unavailable`,
    /// `Indeterminate`, `Denied`, `Closed`.
    pub async fn create_rollout_phase(&self, phase: RolloutPhase) -> Result<Versioned<RolloutPhase>> {
        self.create(phase, Expect::Absent).await.map_err(|e| e.in_operation("create_rollout_phase"))
    }

    /// Replaces a rollout phase, stamping `updated_at`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` when it does not have the expected revision; `Invalid`, naming the member;
    /// `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn update_rollout_phase(
        &self,
        phase: RolloutPhase,
        expected: Option<&Revision>,
    ) -> Result<Versioned<RolloutPhase>> {
        self.update(phase, expected).await.map_err(|e| e.in_operation("update_rollout_phase"))
    }

    /// Deletes a rollout phase, telling whether there was one.
    ///
    /// # Errors
    ///
    /// `Conflict` when it does not have the expected revision, `NotFound` when one is expected and there is
    /// none; `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn delete_rollout_phase(
        &self,
        id: RolloutPhaseId,
        expected: Option<&Revision>,
    ) -> Result<bool> {
        self.delete(Key::RolloutPhase(id), expected).await.map_err(|e| e.in_operation("delete_rollout_phase"))
    }
}
