//! Reading overrides from the store.

use std::sync::Arc;

use flags_core::{Error, FlagId, Override, Record, Result, StorageHandle};
use futures_util::future::try_join_all;

use super::entity::Entity;
use super::known::{Cached, Fetched};

/// What is asked for of one entity.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) entity: Entity,
    /// Its overrides of these flags.
    pub(super) flags: Arc<[FlagId]>,
    /// All others, where they are known.
    pub(super) known: Option<Arc<Cached>>,
}

impl Question {
    /// All overrides of the entity, those of the answer and those that were known already.
    pub(super) fn settled(self, answer: Answer, fetched: Fetched) -> Cached {
        let Answer { mut overrides, mut unreadable } = answer;
        let mut fetched = fetched;
        if let Some(known) = self.known {
            overrides.extend(known.overrides.iter().cloned());
            unreadable.extend(known.unreadable.iter().cloned());
            // As old as the oldest of it.
            fetched.at = known.fetched.at;
        }
        Cached { overrides, unreadable, fetched }
    }
}

/// The overrides of one entity.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) overrides: Vec<Arc<Override>>,
    pub(super) unreadable: Vec<Arc<Error>>,
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
