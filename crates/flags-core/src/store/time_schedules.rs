//! Time schedules.

use super::scheduled_changes::owned_or_all;
use super::{FlagStore, Listing, Versioned};
use crate::error::Result;
use crate::model::TimeSchedule;
use crate::name::{FlagId, TimeScheduleId};
use crate::record::{Key, Kind};
use crate::storage::{Expect, Revision};

impl FlagStore {
    /// The time schedules of that flag, or of all flags, by name, then id.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied`, `Closed`. Those that cannot be read are in the listing.
    pub async fn get_time_schedules(&self, flag_id: Option<FlagId>) -> Result<Listing<TimeSchedule>> {
        let listing = self.list(owned_or_all(Kind::TimeSchedule, flag_id)).await;
        let mut listing: Listing<TimeSchedule> = listing.map_err(|e| e.in_operation("get_time_schedules"))?;
        listing.records.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(listing)
    }

    /// The time schedule of that id.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it cannot be read; `Unavailable`, `Denied`, `Closed`.
    pub async fn get_time_schedule(&self, id: TimeScheduleId) -> Result<Option<Versioned<TimeSchedule>>> {
        self.read(&Key::TimeSchedule(id)).await.map_err(|e| e.in_operation("get_time_schedule"))
    }

    /// Creates a time schedule, stamping `created_at` and `updated_at` where they are absent.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; `NotFound` when its flag does not exist; `Invalid`, naming the member; `Unavailable`,
    /// `Indeterminate`, `Denied`, `Closed`.
    pub async fn create_time_schedule(&self, schedule: TimeSchedule) -> Result<Versioned<TimeSchedule>> {
        self.create(schedule, Expect::Absent).await.map_err(|e| e.in_operation("create_time_schedule"))
    }

    /// Replaces a time schedule, stamping `updated_at`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` when it does not have the expected revision; `Invalid`, naming the member;
    /// `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn update_time_schedule(
        &self,
        schedule: TimeSchedule,
        expected: Option<&Revision>,
    ) -> Result<Versioned<TimeSchedule>> {
        self.update(schedule, expected).await.map_err(|e| e.in_operation("update_time_schedule"))
    }

    /// Deletes a time schedule, telling whether there was one.
    ///
    /// # Errors
    ///
    /// `Conflict` when it does not have the expected revision, `NotFound` when one is expected and there is
    /// none; `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn delete_time_schedule(
        &self,
        id: TimeScheduleId,
        expected: Option<&Revision>,
    ) -> Result<bool> {
        self.delete(Key::TimeSchedule(id), expected).await.map_err(|e| e.in_operation("delete_time_schedule"))
    }
}
