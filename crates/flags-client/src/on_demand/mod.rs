//! [`OnDemand`]: overrides that are fetched for whom they are asked, in a bounded cache.

mod entity;
mod failure;
mod flag_sets;
mod flights;
mod known;
mod read;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use flags_core::{Error, ErrorKind, FlagId, Result, StorageHandle, Timestamp};
use flags_engine::{EvaluationContext, Ruleset};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::emptied::holds_others;
use entity::lookups;
pub(crate) use entity::{Entity, entities};
use failure::Failure;
use flag_sets::FlagSets;
use flights::Flights;
pub(crate) use known::Known;
use known::{Cached, Fetched};
use read::{Question, Wanted, read};

#[derive(Debug)]
pub(crate) struct OnDemand {
    cache: Cache<Entity, Arc<Cached>>,
    time_to_live: Duration,
    /// Entries of an earlier epoch may have missed changes.
    epoch: AtomicU64,
    /// A [`Trust`].
    trust: AtomicU8,
    flights: Flights,
    flag_sets: FlagSets,
    failure: Failure,
}

/// What of the cache may be served to whoever cannot ask the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// However old: the client says that what it serves may be.
    Anything,
    /// The same, and the store is not even asked: it was emptied.
    Kept,
    /// What has missed no change.
    Followed,
    /// The same, and nothing past its time to live, since there is no word of changes.
    Timed,
}

/// Why nothing was loaded.
enum Unloaded {
    /// The store shows nothing at all, and is not believed.
    Emptied,
    Failed(Error),
}

impl From<Error> for Unloaded {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A fetch that changes overtake this often is answered, and not kept.
const ATTEMPTS: usize = 3;

impl OnDemand {
    pub(crate) fn new(capacity: u64, time_to_live: Duration) -> Self {
        Self {
            // Whoever was prepared last is about to be evaluated. The cache's own policy would
            // rather not take in anybody new.
            cache: Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build(),
            time_to_live,
            epoch: AtomicU64::new(0),
            trust: AtomicU8::new(Trust::Anything as u8),
            flights: Flights::default(),
            flag_sets: FlagSets::default(),
            failure: Failure::default(),
        }
    }

    /// An override of that entity changed.
    pub(crate) fn invalidate(&self, entity: &Entity) {
        let mut flights = self.flights.lock();
        flights.overtake(entity);
        // It stays, in case the store turns out to be lost.
        if let Some(cached) = self.cache.get(entity) {
            cached.outdated.store(true, Ordering::Release);
        }
    }

    /// Anything may have changed. What is cached is served to whoever cannot ask only until the
    /// client is fresh again.
    pub(crate) fn resync(&self) {
        let mut flights = self.flights.lock();
        flights.overtake_all();
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// There is another set of flags, of that number, in which these are new.
    pub(crate) fn flags_added(&self, flag_set: u64, new: Vec<FlagId>) {
        if !new.is_empty() {
            self.flag_sets.add(flag_set, new);
        }
    }

    pub(crate) fn unreadable(&self) -> Vec<Arc<Error>> {
        self.cache.iter().flat_map(|(_, cached)| cached.unreadable.clone()).collect()
    }

    pub(crate) fn set_trust(&self, trust: Trust) {
        self.trust.store(trust as u8, Ordering::Release);
    }

    /// What is known of a context's entities without asking the store: those of them that are
    /// cached, and no older than the client says that they are.
    pub(crate) fn cached(&self, context: &EvaluationContext, flag_set: u64, now: Timestamp) -> Known {
        let mut known = Known::default();
        for entity in lookups(context) {
            let cached = self.cache.get(&entity).filter(|cached| cached.fetched.flag_set == flag_set);
            if let Some(cached) = cached.filter(|cached| self.is_servable(cached, now)) {
                known.add(entity, &cached);
            }
        }
        known
    }

    /// What is known of a context's entities, asking the store for what is not, or is too old.
    ///
    /// Where the store does not answer, what is too old is better than nothing, as long as it is not
    /// known to have missed a change, or the client says that it may have; and `store_error` says
    /// why it is old.
    pub(crate) async fn fetch(
        &self,
        storage: &StorageHandle,
        store_error: &ArcSwapOption<Error>,
        context: &EvaluationContext,
        ruleset: &Ruleset,
        flag_set: u64,
        now: Timestamp,
    ) -> Result<Known> {
        let (mut known, mut missing, mut old) = (Known::default(), Vec::new(), Vec::new());
        let is_kept = self.trust.load(Ordering::Acquire) == Trust::Kept as u8;
        for entity in lookups(context) {
            match self.cache.get(&entity).filter(|cached| cached.fetched.flag_set == flag_set) {
                Some(cached) if is_kept || self.is_current(&cached, now) => known.add(entity, &cached),
                cached => {
                    old.extend(cached.map(|cached| (entity.clone(), cached)));
                    missing.push(entity);
                }
            }
        }
        if missing.is_empty() {
            return Ok(known);
        }
        if is_kept {
            return Err(emptied());
        }
        let unloaded = match self.load(storage, &missing, ruleset, flag_set, now).await {
            Ok(loaded) => {
                self.failure.end(store_error);
                missing.into_iter().zip(loaded).for_each(|(entity, one)| known.add(entity, &one));
                return Ok(known);
            }
            Err(unloaded) => unloaded,
        };
        // Of a store that came back empty everything changed, and none of it is believed.
        let is_emptied = matches!(unloaded, Unloaded::Emptied);
        let error = Arc::new(match unloaded {
            Unloaded::Emptied => emptied(),
            Unloaded::Failed(error) => error,
        });
        self.failure.set(store_error, &error);
        let all_stand_in = || old.iter().all(|(_, cached)| is_emptied || self.stands_in(cached));
        if old.len() < missing.len() || !all_stand_in() {
            let reason = "the overrides for this context cannot be fetched; see the cause";
            return Err(Error::new(error.kind(), reason).in_operation("prepare").with_source(error));
        }
        old.into_iter().for_each(|(entity, cached)| known.add(entity, &cached));
        Ok(known)
    }

    /// Whether it may be served in the place of what the store does not tell.
    fn stands_in(&self, cached: &Cached) -> bool {
        let trust = self.trust.load(Ordering::Acquire);
        let says_old = trust == Trust::Anything as u8 || trust == Trust::Kept as u8;
        says_old || self.has_missed_nothing(cached)
    }

    fn is_servable(&self, cached: &Cached, now: Timestamp) -> bool {
        let trust = self.trust.load(Ordering::Acquire);
        match trust {
            trust if trust == Trust::Followed as u8 => self.has_missed_nothing(cached),
            trust if trust == Trust::Timed as u8 => self.is_current(cached, now),
            _ => true,
        }
    }

    fn is_current(&self, cached: &Cached, now: Timestamp) -> bool {
        // How old it is nobody knows where the clock was set back since.
        let is_young =
            cached.fetched.at <= now && now.saturating_since(cached.fetched.at) < self.time_to_live;
        is_young && self.has_missed_nothing(cached)
    }

    fn has_missed_nothing(&self, cached: &Cached) -> bool {
        cached.fetched.epoch == self.epoch.load(Ordering::Acquire) && !cached.outdated.load(Ordering::Acquire)
    }

    async fn load(
        &self,
        storage: &StorageHandle,
        entities: &[Entity],
        ruleset: &Ruleset,
        flag_set: u64,
        now: Timestamp,
    ) -> Result<Vec<Arc<Cached>>, Unloaded> {
        let all: Arc<[FlagId]> = ruleset.flags().map(|flag| flag.id).collect();
        let mut attempt = 1;
        loop {
            // Whatever changes from here on is known to have.
            let flight = self.flights.begin(entities.to_vec());
            let epoch = self.epoch.load(Ordering::Acquire);
            let questions: Vec<Question> =
                entities.iter().map(|entity| self.question(entity, &all, flag_set, now)).collect();
            let answers = read(storage, &questions).await?;
            let losses = questions.iter().zip(&answers).any(|(one, answer)| one.is_lost(answer, now));
            // Where the client is not in step anyway, nor is it known that there is anything to
            // lose.
            let is_doubtful = losses || self.trust.load(Ordering::Acquire) == Trust::Anything as u8;
            if is_doubtful && !all.is_empty() && !holds_others(storage, ruleset, &HashSet::new()).await? {
                return Err(Unloaded::Emptied);
            }
            let fetched = Fetched { at: now, flag_set, epoch, flight: flight.number() };
            let loaded: Vec<Arc<Cached>> = questions
                .into_iter()
                .zip(answers)
                .map(|(question, answer)| Arc::new(question.settled(answer, fetched)))
                .collect();
            let keep = || {
                for (entity, loaded) in entities.iter().zip(&loaded) {
                    // Whoever asked later may have been answered before.
                    let before = self.cache.get(entity);
                    if before.is_none_or(|before| loaded.fetched.may_replace(&before.fetched)) {
                        self.cache.insert(entity.clone(), Arc::clone(loaded));
                    }
                }
            };
            if flight.land(keep) || attempt == ATTEMPTS {
                return Ok(loaded);
            }
            attempt += 1;
        }
    }

    /// What to ask for of an entity: where only flags are new, its overrides of those.
    fn question(&self, entity: &Entity, all: &Arc<[FlagId]>, flag_set: u64, now: Timestamp) -> Question {
        let entity = entity.clone();
        let known = self.cache.get(&entity);
        let current = known.as_ref().filter(|known| self.is_current(known, now));
        let new = current.and_then(|known| self.flag_sets.between(known.fetched.flag_set, flag_set));
        match new {
            Some(new) => Question { entity, flags: new.into(), known, asks_for: Wanted::New },
            None => Question { entity, flags: Arc::clone(all), known, asks_for: Wanted::All },
        }
    }
}

fn emptied() -> Error {
    let reason = "the store came back empty, and what it held for this context is not known; see Freshness";
    Error::new(ErrorKind::Unavailable, reason).in_operation("prepare")
}
