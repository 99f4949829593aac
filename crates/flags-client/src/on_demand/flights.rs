//! [`Flights`]: fetches under way, and whether changes overtake them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entity::Entity;

/// A fetch under way.
#[derive(Debug)]
struct Flight {
    entities: Vec<Entity>,
    /// Something that it asks for changed since it began.
    outdated: bool,
}

#[derive(Debug, Default)]
pub(super) struct UnderWay {
    last: u64,
    flights: HashMap<u64, Flight>,
}

/// Its lock is also held while the cache is written, so that a fetch and an invalidation are one
/// before the other.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<UnderWay>);

impl Flights {
    pub(super) fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, entities: Vec<Entity>) -> Guard<'_> {
        let mut under_way = self.lock();
        under_way.last += 1;
        let number = under_way.last;
        under_way.flights.insert(number, Flight { entities, outdated: false });
        Guard { flights: self, number }
    }
}

impl UnderWay {
    /// Something of that entity changed.
    pub(super) fn overtake(&mut self, entity: &Entity) {
        let asking = self.flights.values_mut().filter(|flight| flight.entities.contains(entity));
        asking.for_each(|flight| flight.outdated = true);
    }

    /// Anything may have changed.
    pub(super) fn overtake_all(&mut self) {
        self.flights.values_mut().for_each(|flight| flight.outdated = true);
    }
}

/// A flight that is under way as long as this lives: a future that is dropped leaves none behind.
pub(super) struct Guard<'a> {
    flights: &'a Flights,
    number: u64,
}

impl Guard<'_> {
    /// Flights are numbered in the order in which they begin.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Keeps what was loaded, unless a change overtook it. Tells whether it did.
    pub(super) fn land(self, keep: impl FnOnce()) -> bool {
        let under_way = self.flights.lock();
        let current = under_way.flights.get(&self.number).is_some_and(|flight| !flight.outdated);
        if current {
            keep();
        }
        drop(under_way);
        current
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.flights.lock().flights.remove(&self.number);
    }
}
