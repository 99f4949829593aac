//! Reading overrides from the store.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flags_core::{Error, FlagId, Key, Override, Record, Result, StorageHandle, Timestamp};
use futures_util::future::try_join_all;

use super::entity::Entity;
use super::known::{Cached, Fetched};

/// What is asked for of one entity.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) entity: Entity,
    /// Its overrides of these flags.
    pub(super) flags: Arc<[FlagId]>,
    pub(super) asks_for: Wanted,
    /// What was known of it last.
    pub(super) known: Option<Arc<Cached>>,
}

/// Of which flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    /// Those that are new; of the others what is known is current.
    New,
}

impl Question {
    /// Whether an override is gone that was in force, though its flag is not.
    pub(super) fn is_lost(&self, answer: &Answer, now: Timestamp) -> bool {
        let mut known = self.known.iter().flat_map(|known| &known.overrides);
        known.any(|one| {
            let is_in_force = !Record::Override(Arc::clone(one)).is_expired(now);
            is_in_force && !answer.tells_of(one.flag_id) && self.flags.contains(&one.flag_id)
        })
    }

    /// All overrides of the entity, those of the answer and those that are as they were known.
    pub(super) fn settled(self, answer: Answer, mut fetched: Fetched) -> Cached {
        let Answer { mut overrides, mut unreadable } = answer;
        if let Some(known) = self.known {
            // What is new may have been there before, and deleted since: then what is known of it is
            // older than the answer.
            let was_not_asked = |flag: FlagId| self.asks_for == Wanted::New && !self.flags.contains(&flag);
            // One that cannot be read stays as it was last, as it does where all are resident.
            let is_unreadable = |flag: FlagId| unreadable.iter().any(|error| is_of(error, flag));
            let stays = |one: &&Arc<Override>| was_not_asked(one.flag_id) || is_unreadable(one.flag_id);
            overrides.extend(known.overrides.iter().filter(stays).cloned());
            if self.asks_for == Wanted::New {
                let is_older = |error: &Error| self.flags.iter().any(|flag| is_of(error, *flag));
                let others = known.unreadable.iter().filter(|error| !is_older(error));
                unreadable.extend(others.cloned());
                // As old as the oldest of it.
                fetched.at = known.fetched.at;
            }
        }
        Cached { overrides, unreadable, fetched, outdated: AtomicBool::new(false) }
    }
}

fn is_of(error: &Error, flag: FlagId) -> bool {
    matches!(error.key(), Some(Key::Override(id, ..)) if *id == flag)
}

/// The overrides of one entity.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) overrides: Vec<Arc<Override>>,
    pub(super) unreadable: Vec<Arc<Error>>,
}

impl Answer {
    fn tells_of(&self, flag: FlagId) -> bool {
        self.overrides.iter().any(|one| one.flag_id == flag)
            || self.unreadable.iter().any(|error| is_of(error, flag))
    }
}

/// Reads overrides, in one call or, where the store's limits make it several, in as many at once:
/// over a connection that they share that is about one round trip. The answers come in the order of
/// the questions.
pub(super) async fn read(storage: &StorageHandle, questions: &[Question]) -> Result<Vec<Answer>> {
    let limits = storage.descriptor().limits();
    let (mut places, mut keys) = (Vec::new(), Vec::new());
    for (place, question) in questions.iter().enumerate() {
        for flag in &*question.flags {
            let key = question.entity.key(*flag);
            // No override can be stored under a key that is too long.
            if key.text_len() <= limits.key_bytes {
                places.push(place);
                keys.push(key);
            }
        }
    }
    let calls = keys.chunks(limits.batch_ops.max(1)).map(|keys| storage.get(keys));
    let found = try_join_all(calls).await.map_err(|e| e.in_operation("prepare"))?;
    let mut answers: Vec<Answer> = questions.iter().map(|_| Answer::default()).collect();
    for (place, found) in places.into_iter().zip(found.into_iter().flatten()) {
        let Some(answer) = answers.get_mut(place) else { continue };
        match found {
            Ok(Some(stored)) => {
                if let Record::Override(record) = stored.record {
                    answer.overrides.push(record);
                }
            }
            Ok(None) => {}
            Err(error) => answer.unreadable.push(Arc::new(error)),
        }
    }
    Ok(answers)
}
