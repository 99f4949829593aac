//! Read, modify, write.

use super::records::refuse_problems;
use super::retry::Retry;
use super::{FlagStore, Versioned};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Flag;
use crate::name::FlagKey;
use crate::record::{Key, Model};
use crate::storage::Expect;
use crate::validate::Validate;

impl FlagStore {
    /// Edits the flag of that key: reads it, lets `edit` change it, and writes it on the condition that
    /// nobody else did meanwhile. A conflict is tried again from the start, after a random wait, until the
    /// deadline ([`with_modify_deadline`](Self::with_modify_deadline)), so `edit` may run several times. A
    /// flag that `edit` leaves as it is, is not written. `updated_at` is stamped.
    ///
    /// # Errors
    ///
    /// Whatever `edit` returns; `NotFound`; `Conflict` past the deadline, or at once when it is about the id;
    /// `Invalid` when `edit` changed the key; those of [`update_flag`](Self::update_flag).
    pub async fn modify_flag<F>(&self, key: &FlagKey, edit: F) -> Result<Versioned<Flag>>
    where
        F: FnMut(&mut Flag) -> Result<()> + Send,
    {
        self.try_modify_flag(key, edit).await
    }

    /// [`modify_flag`](Self::modify_flag) with an error type of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`modify_flag`](Self::modify_flag).
    pub async fn try_modify_flag<E, F>(&self, key: &FlagKey, mut edit: F) -> Result<Versioned<Flag>, E>
    where
        E: From<Error>,
        F: FnMut(&mut Flag) -> Result<(), E> + Send,
    {
        let key = Key::Flag(key.clone());
        let fail = |error: Error| E::from(error.in_operation("modify_flag"));
        let mut retry = Retry::new(self);
        loop {
            let stored = self.read::<Flag>(&key).await.map_err(fail)?;
            let stored = stored.ok_or_else(|| fail(Error::not_found(key.clone())))?;
            let mut edited = (*stored).clone();
            edit(&mut edited)?;
            if edited == *stored {
                return Ok(stored);
            }
            match self.replace(&stored, edited).await {
                Err(e) if e.is_stale() && retry.may_go_on() => retry.wait().await,
                outcome => return outcome.map_err(fail),
            }
        }
    }

    /// Writes an edited record over the one that was read.
    pub(super) async fn replace<T: Validate>(
        &self,
        stored: &Versioned<T>,
        mut edited: T,
    ) -> Result<Versioned<T>> {
        self.stamp_updated(&mut edited);
        let key = Model::key(&**stored);
        if edited.key() != key {
            let reason = "an edit cannot change the key; create a new record and delete this one";
            return Err(Error::new(ErrorKind::Invalid, reason).with_key(key).with_field("key"));
        }
        refuse_problems(&edited, Some(stored))?;
        self.write(edited, Expect::Revision(stored.revision().clone()), Vec::new()).await
    }
}
