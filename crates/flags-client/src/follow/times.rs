//! What is done without being told, and when.

use flags_core::Timestamp;

use super::Follower;
use super::news::Link;
use crate::backoff::jittered;

impl Follower {
    /// Where no news comes, everything is read again after a while.
    pub(super) fn poll_later(&mut self) {
        if self.link != Link::Following {
            let later = self.now().saturating_add(jittered(self.settings.poll_interval, 0.1));
            self.poll_at = Some(later);
        }
    }

    /// When there is something to do next without being told.
    pub(super) fn wakes_at(&self, working: bool) -> Option<Timestamp> {
        let retry = self.retry_at.filter(|_| !working && !self.closed);
        let poll = self.poll_at.filter(|_| !self.closed);
        let save = self.save_at.filter(|_| self.saving.is_none());
        let start = self.starting.as_ref().map(|starting| starting.deadline);
        [retry, poll, save, start, self.replica.sweeps_at()].into_iter().flatten().min()
    }

    pub(super) async fn on_time(&mut self) {
        let now = self.now();
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if is_due(self.retry_at) {
            self.retry_at = None;
        }
        if is_due(self.poll_at) {
            self.poll_at = None;
            self.wants_reload = true;
        }
        if is_due(self.starting.as_ref().map(|starting| starting.deadline)) {
            self.serve_saved(now).await;
        }
        if is_due(self.replica.sweeps_at()) {
            self.change(false, |replica, now| replica.apply(Vec::new(), now)).await;
        }
        if is_due(self.save_at) && self.saving.is_none() {
            self.save_at = None;
            self.saving = self.save();
        }
    }
}
