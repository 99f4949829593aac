//! Saving what is known, so that a later run has something to serve.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flags_core::{Error, ErrorKind, Result};
use tokio::task::{JoinHandle, spawn_blocking};

use super::Follower;
use super::publish::MANY;
use crate::stage::Stage;

/// So many times as long as a save took nothing is saved after it: a file is written whole, and the
/// more there is to save, the less often it can be.
const REST: u32 = 20;

/// A save under way, with what it comes to and how long it took.
pub(super) type Saving = JoinHandle<(Result<()>, Duration)>;

/// The end of the save under way, or never.
pub(super) async fn saved(saving: &mut Option<Saving>) -> (Result<()>, Duration) {
    match saving {
        Some(saving) => saving.await.unwrap_or_else(|e| {
            let error = Error::new(ErrorKind::Unavailable, "saving was cut short").with_source(e);
            (Err(error), Duration::ZERO)
        }),
        None => std::future::pending().await,
    }
}

impl Follower {
    /// There is something new to save.
    pub(super) fn save_later(&mut self) {
        self.spares_file &= !self.replica.has_flags();
        if self.settings.file.is_some() && self.read && !self.spares_file && self.save_at.is_none() {
            let after_a_while = self.now().saturating_add(self.settings.save_interval);
            self.save_at = Some(after_a_while.max(self.rested_at));
        }
    }

    pub(super) async fn save(&mut self) -> Option<Saving> {
        let file = self.settings.file.clone()?;
        let (is_long, now) = (self.replica.len() > MANY, self.now());
        let records = self.lend(is_long, |replica| replica.to_vec()).await?;
        let stage = Stage::Save(records.len()).begin(self.shared.provider);
        Some(spawn_blocking(move || {
            let begun = Instant::now();
            (stage.run(|| file.write(records, now)), begun.elapsed())
        }))
    }

    pub(super) fn has_saved(&mut self, (outcome, took): (Result<()>, Duration)) {
        self.saving = None;
        self.shared.file_error.store(outcome.err().map(Arc::new));
        self.rested_at = self.now().saturating_add(took.saturating_mul(REST));
        // What changed meanwhile.
        self.save_at = self.save_at.map(|at| at.max(self.rested_at));
    }
}
