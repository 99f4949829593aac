//! What is done without being told, and when.

use std::time::Duration;

use flags_core::Timestamp;
use flags_core::storage::Capability;

use super::Follower;
use super::news::Link;
use crate::backoff::jittered;
use crate::replica::Found;

/// How soon it is noticed that the clock was set back, where nothing else happens and it matters.
const LOOK_AT_THE_CLOCK: Duration = Duration::from_secs(10);

impl Follower {
    /// Where no news comes, or where what is read may be older than the news, everything is read again after
    /// a while.
    pub(super) fn poll_later(&mut self) {
        let lags = self.shared.storage.descriptor().has(Capability::LaggingReads);
        if self.link != Link::Following || lags {
            let later = self.now().saturating_add(jittered(self.settings.poll_interval, 0.1));
            self.poll_at = Some(later);
        }
    }

    /// When there is something to do next without being told.
    pub(super) fn wakes_at(&self, working: bool) -> Option<Timestamp> {
        let retry = self.retry_at.filter(|_| !working && !self.closed);
        let poll = self.poll_at.filter(|_| !self.closed);
        let save = self.save_at.filter(|_| self.saving.is_none());
        let start = self.starting.as_ref().filter(|_| !self.read).map(|starting| starting.deadline);
        let overtaken = self.overtaken.turns_at(self.now());
        let invalidated = self.invalidated.turns_at(self.now());
        let (last_flag, sweep) = (self.last_flag.until(), self.replica.sweeps_at());
        let times = [retry, poll, save, start, overtaken, invalidated, last_flag, sweep, self.look_at];
        times.into_iter().flatten().min()
    }

    /// Where the clock was set back, what was to be done after a while is not put off by it, and
    /// overrides that were dropped as expired, and are not, are read again.
    pub(super) fn notice_set_back(&mut self) {
        let now = self.now();
        let back = self.told.saturating_since(now);
        self.told = now;
        if back.is_zero() {
            return;
        }
        let start = self.starting.as_mut().map(|starting| &mut starting.deadline);
        self.overtaken.set_back(back);
        self.invalidated.set_back(back);
        self.rested_at = self.rested_at.saturating_sub(back);
        let others = [&mut self.retry_at, &mut self.poll_at, &mut self.save_at, &mut self.look_at];
        let others = others.into_iter().flatten();
        others.chain(start).chain(self.last_flag.until_mut()).for_each(|at| *at = at.saturating_sub(back));
        if self.replica.lacks_overrides(now) {
            self.synced = false;
            self.wants_reload = true;
        }
    }

    /// Goes on looking at the clock, as long as that matters.
    pub(super) fn look_later(&mut self) {
        if self.look_at.is_none() && self.replica.has_dropped() && !self.closed {
            self.look_at = Some(self.now().saturating_add(LOOK_AT_THE_CLOCK));
        }
    }

    pub(super) async fn on_time(&mut self) {
        let now = self.now();
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if is_due(self.retry_at) {
            self.retry_at = None;
        }
        if is_due(self.look_at) {
            self.look_at = None;
        }
        if is_due(self.poll_at) {
            self.poll_at = None;
            self.wants_reload = true;
        }
        if is_due(self.starting.as_ref().map(|starting| starting.deadline)) {
            self.serve_saved(now).await;
        }
        if is_due(self.last_flag.until()) {
            let gone = self.end_wait_for_last_flag();
            let gone: Vec<Found> = gone.into_iter().map(Found::Nothing).collect();
            self.change(gone.len(), |replica, now| replica.apply(gone, now)).await;
        }
        if is_due(self.replica.sweeps_at()) {
            self.change(0, |replica, now| replica.apply(Vec::new(), now)).await;
        }
        if is_due(self.save_at) && self.saving.is_none() {
            self.save_at = None;
            self.saving = self.save().await;
        }
    }
}
