//! Scheduled changes.

use super::{FlagStore, Listing, Versioned};
use crate::error::Result;
use crate::model::ScheduledChange;
use crate::name::{FlagId, ScheduledChangeId};
use crate::record::{Key, Kind};
use crate::storage::{Expect, Query, Revision};

/// Which scheduled changes to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Pending {
    /// Those that were not executed yet.
    #[default]
    Only,
    /// Executed ones too.
    AndExecuted,
}

impl FlagStore {
    /// The scheduled changes of that flag, or of all flags, by `scheduled_at`, then id.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied`, `Closed`. Those that cannot be read are in the listing.
    pub async fn get_scheduled_changes(
        &self,
        flag_id: Option<FlagId>,
        pending: Pending,
    ) -> Result<Listing<ScheduledChange>> {
        let listing = self.list(owned_or_all(Kind::ScheduledChange, flag_id)).await;
        let mut listing: Listing<ScheduledChange> =
            listing.map_err(|e| e.in_operation("get_scheduled_changes"))?;
        listing.records.retain(|change| pending == Pending::AndExecuted || !change.executed);
        listing.records.sort_by_key(|change| (change.scheduled_at, change.id));
        Ok(listing)
    }

    /// The scheduled change of that id.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it cannot be read; `Unavailable`, `Denied`, `Closed`.
    pub async fn get_scheduled_change(
        &self,
        id: ScheduledChangeId,
    ) -> Result<Option<Versioned<ScheduledChange>>> {
        self.read(&Key::ScheduledChange(id)).await.map_err(|e| e.in_operation("get_scheduled_change"))
    }

    /// Creates a scheduled change, stamping `created_at` and `updated_at` where they are absent. It may lie
    /// in the past, or have been executed.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; `NotFound` when its flag does not exist; `Invalid`, naming the member; `Unavailable`,
    /// `Indeterminate`, `Denied`, `Closed`.
    pub async fn create_scheduled_change(
        &self,
        change: ScheduledChange,
    ) -> Result<Versioned<ScheduledChange>> {
        self.create(change, Expect::Absent).await.map_err(|e| e.in_operation("create_scheduled_change"))
    }

    /// Replaces a scheduled change, stamping `updated_at`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` when it does not have the expected revision; `Invalid`, naming the member;
    /// `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn update_scheduled_change(
        &self,
        change: ScheduledChange,
        expected: Option<&Revision>,
    ) -> Result<Versioned<ScheduledChange>> {
        self.update(change, expected).await.map_err(|e| e.in_operation("update_scheduled_change"))
    }

    /// Deletes a scheduled change, telling whether there was one.
    ///
    /// # Errors
    ///
    /// `Conflict` when it does not have the expected revision, `NotFound` when one is expected and there is
    /// none; `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn delete_scheduled_change(
        &self,
        id: ScheduledChangeId,
        expected: Option<&Revision>,
    ) -> Result<bool> {
        self.delete(Key::ScheduledChange(id), expected)
            .await
            .map_err(|e| e.in_operation("delete_scheduled_change"))
    }
}

/// What that flag owns of a kind, or all of the kind.
pub(super) fn owned_or_all(kind: Kind, flag_id: Option<FlagId>) -> Query {
    flag_id.map_or(Query::All(kind), |flag_id| Query::Owned(kind, flag_id))
}
