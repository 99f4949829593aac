//! The first load: who waits for it, and what is served if the store does not answer.

use std::collections::HashSet;
use std::sync::Arc;

use flags_core::{Error, ErrorKind, Result, Timestamp};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::freshness::Staleness;
use super::{Follower, fetch};
use crate::freshness::StaleCause;
use crate::replica::Unsure;

/// Who waits for the first load, and until when the store alone is waited for.
#[derive(Debug)]
pub(super) struct Starting {
    pub(super) deadline: Timestamp,
    pub(super) tell: oneshot::Sender<Result<()>>,
}

impl Follower {
    /// Where the store fails before anything was loaded, what an earlier run saved is served.
    pub(super) async fn serve_saved(&mut self, now: Timestamp) {
        let (Some(starting), Some(file)) = (&self.starting, self.settings.file.clone()) else { return };
        if self.read {
            // What was read is newer than any file, though it is not whole yet.
            return;
        }
        let is_over = now >= starting.deadline;
        let read = spawn_blocking(move || file.read()).await;
        match read {
            Ok(Ok(saved)) => {
                self.stale = Some(Staleness { since: saved.at, cause: StaleCause::LastSaved });
                let listed = fetch::saved(saved.records, self.shared.on_demand.is_none());
                let unsure = Unsure { keys: HashSet::new(), absences: false };
                self.change(true, move |replica, now| replica.take_over(listed, &unsure, now)).await;
                self.started(Ok(()));
            }
            // Until the deadline the store may still answer.
            Ok(Err(_)) if !is_over => {}
            Ok(Err(error)) => {
                self.shared.file_error.store(Some(Arc::new(error)));
                self.started(Err(self.nothing_to_serve()));
            }
            // The runtime is shutting down.
            Err(_) => self.started(Err(self.nothing_to_serve())),
        }
    }

    fn nothing_to_serve(&self) -> Error {
        let reason = "the store does not answer, and there is no saved state to serve; see the cause";
        let error = Error::new(ErrorKind::Unavailable, reason).in_operation("start");
        match self.shared.store_error.load_full() {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }

    pub(super) fn started(&mut self, outcome: Result<()>) {
        if let Some(starting) = self.starting.take() {
            self.tell_freshness();
            // Nobody waits any more: then nobody needs to know.
            let _ = starting.tell.send(outcome);
        }
    }
}
