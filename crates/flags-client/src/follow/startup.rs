//! The first load: who waits for it, and what is served if the store does not answer.

use std::collections::HashSet;
use std::sync::Arc;

use flags_core::{Error, ErrorKind, Result, Timestamp};
use tokio::sync::oneshot;

use super::freshness::Staleness;
use super::{Follower, fetch};
use crate::events::ClientEvent;
use crate::freshness::StaleCause;
use crate::replica::{Replica, Unsure};
use crate::save::Saved;

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
        let is_over = now >= starting.deadline || *self.shared.refuses.borrow();
        match file.read(&*self.shared.clock).await {
            Ok(Some(saved)) => self.serve(saved, StaleCause::LastSaved).await,
            // Until the deadline the store may still answer.
            _ if !is_over => {}
            Ok(None) => self.started(Err(self.nothing_to_serve(None))),
            Err(error) => {
                let nothing_to_serve = self.nothing_to_serve(Some(&error));
                self.shared.file_error.store(Some(Arc::new(error)));
                self.started(Err(nothing_to_serve));
            }
        }
    }

    /// Where the store has no flag, and an earlier run knew some, those are served: it came back
    /// empty while nobody looked. Tells whether it did.
    pub(super) async fn serves_saved_instead(&mut self) -> bool {
        let Some(file) = self.settings.file.clone() else { return false };
        match file.read(&*self.shared.clock).await {
            Ok(Some(saved)) if saved.has_flags() => {
                self.store_emptied = true;
                self.serve(saved, StaleCause::StoreEmptied).await;
                self.shared.events.tell(&ClientEvent::StoreEmptied);
                true
            }
            Err(error) => {
                self.shared.file_error.store(Some(Arc::new(error)));
                // Who knows what is in it: it is not given up for nothing.
                self.spares_file = true;
                false
            }
            Ok(_) => false,
        }
    }

    async fn serve(&mut self, saved: Saved, cause: StaleCause) {
        self.stale = Some(Staleness { since: saved.at, cause });
        let listed = fetch::saved(saved.records, self.shared.on_demand.is_none());
        let unsure = Unsure { keys: HashSet::new(), absences: false };
        let take_over = move |replica: &mut Replica, now| replica.take_over(listed, &unsure, now);
        self.change(usize::MAX, take_over).await;
        let is_served = self.shared.state.load().loaded;
        self.started(if is_served { Ok(()) } else { Err(self.nothing_to_serve(None)) });
    }

    fn nothing_to_serve(&self, file: Option<&Error>) -> Error {
        let reason = match file {
            None => "the store does not answer, and there is no saved state to serve; see the cause".into(),
            Some(file) => format!("the store does not answer, nor can a saved state be served: {file}"),
        };
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
