//! Reading overrides from the store.

use std::sync::Arc;

use flags_core::{Error, Key, Override, Record, Result, StorageHandle};
use flags_engine::Ruleset;

use super::entity::Entity;

pub(super) type OfEntity = (Vec<Arc<Override>>, Vec<Arc<Error>>);

/// Reads the overrides of these entities over all flags: one call, or as many as the store's limits
/// make it.
pub(super) async fn read(
    storage: &StorageHandle,
    entities: &[Entity],
    ruleset: &Ruleset,
) -> Result<Vec<(Entity, OfEntity)>> {
    let mut of_entities: Vec<(Entity, OfEntity)> =
        entities.iter().map(|entity| (entity.clone(), OfEntity::default())).collect();
    let limits = storage.descriptor().limits();
    let ids: Vec<_> = ruleset.flags().map(|flag| flag.id).collect();
    let mut keys = Vec::with_capacity(ids.len() * entities.len());
    for (place, entity) in entities.iter().enumerate() {
        for id in &ids {
            let key = entity.key(*id);
            // No override can be stored under a key that is too long.
            if key.text_len() <= limits.key_bytes {
                keys.push((place, key));
            }
        }
    }
    for chunk in keys.chunks(limits.batch_ops.max(1)) {
        let asked: Vec<Key> = chunk.iter().map(|(_, key)| key.clone()).collect();
        let answers = storage.get(&asked).await.map_err(|e| e.in_operation("prepare"))?;
        for ((place, _), answer) in chunk.iter().zip(answers) {
            let Some((_, (overrides, unreadable))) = of_entities.get_mut(*place) else { continue };
            match answer {
                Ok(Some(stored)) => {
                    if let Record::Override(record) = stored.record {
                        overrides.push(record);
                    }
                }
                Ok(None) => {}
                Err(error) => unreadable.push(Arc::new(error)),
            }
        }
    }
    Ok(of_entities)
}
