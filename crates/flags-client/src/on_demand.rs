//! [`OnDemand`]: overrides that are fetched for whom they are asked, in a bounded cache.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flags_core::{EntityId, EntityType, Error, Key, Override, Record, Result, StorageHandle, Timestamp};
use flags_engine::{EvaluationContext, Ruleset};
use moka::sync::Cache;

/// Whom an override is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entity {
    entity_type: EntityType,
    entity_id: EntityId,
}

impl Entity {
    pub(crate) fn new(entity_type: EntityType, entity_id: EntityId) -> Self {
        Self { entity_type, entity_id }
    }

    pub(crate) fn is(&self, (entity_type, entity_id): (&str, &str)) -> bool {
        self.entity_type.as_str() == entity_type && self.entity_id.as_str() == entity_id
    }
}

/// Whom the overrides that can decide for a context may be for.
pub(crate) fn entities(context: &EvaluationContext) -> impl Iterator<Item = (&'static str, &str)> {
    let ids = [
        ("user", context.user_id()),
        ("organization", context.organization_id()),
        ("tenant", context.tenant_id()),
        ("targeting_key", context.targeting_key()),
    ];
    ids.into_iter().filter_map(|(entity_type, id)| Some((entity_type, id?)))
}

/// The same, to be looked up. What cannot be the name of an entity has no override.
fn lookups(context: &EvaluationContext) -> Vec<Entity> {
    let named = entities(context).filter_map(|(entity_type, id)| {
        Some(Entity::new(EntityType::new(entity_type).ok()?, EntityId::new(id).ok()?))
    });
    named.collect()
}

/// All overrides of one entity; often none, which is as good to know.
#[derive(Debug)]
struct Cached {
    overrides: Vec<Arc<Override>>,
    unreadable: Vec<Arc<Error>>,
    fetched_at: Timestamp,
    /// The set of flags that was asked for, by its number.
    flag_set: u64,
    epoch: u64,
}

/// Entities with all their overrides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) entities: Vec<Entity>,
    overrides: Vec<Arc<Override>>,
}

impl Known {
    fn add(&mut self, entity: Entity, cached: &Cached) {
        self.entities.push(entity);
        self.overrides.extend(cached.overrides.iter().cloned());
    }

    /// The rules with these overrides; `None` where there are none.
    pub(crate) fn overlay(&self, ruleset: &Ruleset) -> Option<Ruleset> {
        if self.overrides.is_empty() {
            return None;
        }
        let put =
            |edit: flags_engine::RulesetBuilder, one: &Arc<Override>| edit.flag_override(Arc::clone(one));
        Some(self.overrides.iter().fold(ruleset.edit(), put).build())
    }
}

/// A fetch under way.
#[derive(Debug)]
struct Flight {
    entities: Vec<Entity>,
    /// Something that it asks for changed since it began.
    outdated: bool,
}

#[derive(Debug, Default)]
struct Flights {
    last: u64,
    under_way: HashMap<u64, Flight>,
}

#[derive(Debug)]
pub(crate) struct OnDemand {
    cache: Cache<Entity, Arc<Cached>>,
    time_to_live: Duration,
    /// Entries of an earlier epoch may have missed changes.
    epoch: AtomicU64,
    /// A [`Trust`].
    trust: AtomicU8,
    /// Also held while the cache is written, so that a fetch and an invalidation are one before the other.
    flights: Mutex<Flights>,
}

/// What of the cache may be served to whoever cannot ask the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// However old: the client says that what it serves may be.
    Anything,
    /// What has missed no change.
    Followed,
    /// The same, and nothing past its time to live, since there is no word of changes.
    Timed,
}

/// A fetch that changes overtake this often is answered, and not kept.
const ATTEMPTS: usize = 3;

impl OnDemand {
    pub(crate) fn new(capacity: u64, time_to_live: Duration) -> Self {
        Self {
            cache: Cache::new(capacity),
            time_to_live,
            epoch: AtomicU64::new(0),
            trust: AtomicU8::new(Trust::Anything as u8),
            flights: Mutex::default(),
        }
    }

    /// An override of that entity changed.
    pub(crate) fn invalidate(&self, entity: &Entity) {
        let mut flights = self.lock();
        let asking = flights.under_way.values_mut().filter(|flight| flight.entities.contains(entity));
        asking.for_each(|flight| flight.outdated = true);
        self.cache.invalidate(entity);
    }

    /// Anything may have changed. What is cached is served to whoever cannot ask only until the client is fresh again.
    pub(crate) fn resync(&self) {
        let mut flights = self.lock();
        flights.under_way.values_mut().for_each(|flight| flight.outdated = true);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn unreadable(&self) -> Vec<Arc<Error>> {
        self.cache.iter().flat_map(|(_, cached)| cached.unreadable.clone()).collect()
    }

    pub(crate) fn set_trust(&self, trust: Trust) {
        self.trust.store(trust as u8, Ordering::Release);
    }

    /// What is known of a context's entities without asking the store: those of them that are cached, and no older than
    /// the client says that they are.
    pub(crate) fn cached(&self, context: &EvaluationContext, flag_set: u64, now: Timestamp) -> Known {
        let mut known = Known::default();
        for entity in lookups(context) {
            let cached = self.cache.get(&entity).filter(|cached| cached.flag_set == flag_set);
            if let Some(cached) = cached.filter(|cached| self.is_servable(cached, now)) {
                known.add(entity, &cached);
            }
        }
        known
    }

    /// What is known of a context's entities, asking the store for what is not, or is too old.
    ///
    /// Where the store does not answer, what is too old is better than nothing.
    pub(crate) async fn fetch(
        &self,
        storage: &StorageHandle,
        context: &EvaluationContext,
        ruleset: &Ruleset,
        flag_set: u64,
        now: Timestamp,
    ) -> Result<Known> {
        let (mut known, mut missing, mut old) = (Known::default(), Vec::new(), Vec::new());
        for entity in lookups(context) {
            match self.cache.get(&entity).filter(|cached| cached.flag_set == flag_set) {
                Some(cached) if self.is_current(&cached, now) => known.add(entity, &cached),
                cached => {
                    old.extend(cached.map(|cached| (entity.clone(), cached)));
                    missing.push(entity);
                }
            }
        }
        if missing.is_empty() {
            return Ok(known);
        }
        match self.load(storage, missing.clone(), ruleset, flag_set, now).await {
            Ok(loaded) => loaded.into_iter().for_each(|(entity, cached)| known.add(entity, &cached)),
            Err(_) if old.len() == missing.len() => {
                old.into_iter().for_each(|(entity, cached)| known.add(entity, &cached));
            }
            Err(error) => return Err(error),
        }
        Ok(known)
    }

    fn is_servable(&self, cached: &Cached, now: Timestamp) -> bool {
        let trust = self.trust.load(Ordering::Acquire);
        let missed_nothing = cached.epoch == self.epoch.load(Ordering::Acquire);
        match trust {
            trust if trust == Trust::Followed as u8 => missed_nothing,
            trust if trust == Trust::Timed as u8 => self.is_current(cached, now),
            _ => true,
        }
    }

    fn is_current(&self, cached: &Cached, now: Timestamp) -> bool {
        cached.epoch == self.epoch.load(Ordering::Acquire)
            && now.saturating_since(cached.fetched_at) < self.time_to_live
    }

    async fn load(
        &self,
        storage: &StorageHandle,
        entities: Vec<Entity>,
        ruleset: &Ruleset,
        flag_set: u64,
        now: Timestamp,
    ) -> Result<Vec<(Entity, Arc<Cached>)>> {
        let mut attempt = 1;
        loop {
            let flight = Guard::new(self, entities.clone());
            let epoch = self.epoch.load(Ordering::Acquire);
            let mut loaded = Vec::with_capacity(entities.len());
            for (entity, (overrides, unreadable)) in read(storage, &entities, ruleset).await? {
                let cached = Cached { overrides, unreadable, fetched_at: now, flag_set, epoch };
                loaded.push((entity, Arc::new(cached)));
            }
            if flight.land(&loaded) || attempt == ATTEMPTS {
                return Ok(loaded);
            }
            attempt += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flight that is under way as long as this lives: a future that is dropped leaves none behind.
struct Guard<'a> {
    on_demand: &'a OnDemand,
    number: u64,
}

impl<'a> Guard<'a> {
    fn new(on_demand: &'a OnDemand, entities: Vec<Entity>) -> Self {
        let mut flights = on_demand.lock();
        flights.last += 1;
        let number = flights.last;
        flights.under_way.insert(number, Flight { entities, outdated: false });
        Self { on_demand, number }
    }

    /// Keeps what was loaded, unless a change overtook it. Tells whether it did.
    fn land(self, loaded: &[(Entity, Arc<Cached>)]) -> bool {
        let flights = self.on_demand.lock();
        let current = flights.under_way.get(&self.number).is_some_and(|flight| !flight.outdated);
        if current {
            for (entity, cached) in loaded {
                self.on_demand.cache.insert(entity.clone(), Arc::clone(cached));
            }
        }
        drop(flights);
        current
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.on_demand.lock().under_way.remove(&self.number);
    }
}

type OfEntity = (Vec<Arc<Override>>, Vec<Arc<Error>>);

/// Reads the overrides of these entities over all flags: one call, or as many as the store's limits make it.
async fn read(
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
            let key = Key::Override(*id, entity.entity_type.clone(), entity.entity_id.clone());
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
