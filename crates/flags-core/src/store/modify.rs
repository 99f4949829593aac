//! Read, modify, write.

use std::time::Duration;

use super::{FlagStore, Versioned};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Flag;
use crate::name::FlagKey;
use crate::record::{Key, Model};
use crate::storage::Expect;
use crate::time::Timestamp;
use crate::validate::Validate;

const OPERATION: &str = "modify_flag";
/// The first wait after a conflict is at most this long; later ones grow up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

impl FlagStore {
    /// Edits the flag of that key: reads it, lets `edit` change it, and writes it on the condition that
    /// nobody else did meanwhile. A conflict is tried again from the start, after a random wait, until the
    /// deadline ([`with_modify_deadline`](Self::with_modify_deadline)), so `edit` may run several times. A flag that
    /// `edit` leaves as it is, is not written. `updated_at` is stamped.
    ///
    /// # Errors
    ///
    /// Whatever `edit` returns; `NotFound`; `Conflict` past the deadline, or when `edit` changed the id; `Invalid`
    /// when it changed the key; those of [`update_flag`](Self::update_flag).
    pub async fn modify_flag<E, F>(&self, key: &FlagKey, mut edit: F) -> Result<Versioned<Flag>, E>
    where
        E: From<Error>,
        F: FnMut(&mut Flag) -> Result<(), E> + Send,
    {
        let key = Key::Flag(key.clone());
        let fail = |error: Error| E::from(error.in_operation(OPERATION));
        let started = self.clock.now();
        let mut longest = FIRST_WAIT;
        loop {
            let stored = self.read::<Flag>(&key).await.map_err(fail)?;
            let stored = stored.ok_or_else(|| fail(Error::not_found(key.clone())))?;
            let mut edited = (*stored).clone();
            edit(&mut edited)?;
            if edited == *stored {
                return Ok(stored);
            }
            let rebound = edited.id != stored.id;
            match self.replace(&key, &stored, edited).await {
                // A conflict about the id would come back for ever.
                Err(e) if e.kind() == ErrorKind::Conflict && !rebound && !self.out_of_time(started) => {}
                outcome => return outcome.map_err(fail),
            }
            self.clock.sleep(longest.mul_f64(fastrand::f64())).await;
            longest = (longest * 2).min(LONGEST_WAIT);
        }
    }

    /// Writes an edited record over the one that was read.
    async fn replace<T: Model + Validate>(
        &self,
        key: &Key,
        stored: &Versioned<T>,
        mut edited: T,
    ) -> Result<Versioned<T>> {
        self.stamp_updated(&mut edited);
        let edited = std::sync::Arc::new(edited);
        if std::sync::Arc::clone(&edited).into_record().key() != *key {
            let reason = "an edit cannot change the key; create a new record and delete this one";
            return Err(Error::new(ErrorKind::Invalid, reason).with_key(key.clone()).with_field("key"));
        }
        let excused = stored.problems();
        if let Some(problem) = edited.problems().into_iter().find(|problem| !excused.contains(problem)) {
            return Err(problem.into_error(key.clone()));
        }
        self.write(edited, Expect::Revision(stored.revision().clone())).await
    }

    /// Whether so much time has passed that retrying should end.
    pub(crate) fn out_of_time(&self, started: Timestamp) -> bool {
        self.clock.now().saturating_since(started) >= self.modify_deadline
    }
}
