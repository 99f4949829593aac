//! [`Known`]: whose overrides are known, and what they are.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flags_core::{Error, Override, Timestamp};
use flags_engine::{Ruleset, RulesetBuilder};

use super::entity::Entity;

/// All overrides of one entity; often none, which is as good to know.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) overrides: Vec<Arc<Override>>,
    pub(super) unreadable: Vec<Arc<Error>>,
    pub(super) fetched: Fetched,
    /// Something of it changed since.
    pub(super) outdated: AtomicBool,
}

/// When that was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fetched {
    pub(super) at: Timestamp,
    /// The set of flags that was asked for, by its number.
    pub(super) flag_set: u64,
    pub(super) epoch: u64,
    /// The number of the flight.
    pub(super) flight: u64,
}

impl Fetched {
    /// Whether this may take the place of that: for whoever evaluates by the latest flags it tells
    /// no less, and the store was asked no earlier.
    pub(super) fn may_replace(&self, other: &Self) -> bool {
        (self.flag_set, self.flight) > (other.flag_set, other.flight)
    }
}

/// Entities with all their overrides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) entities: Vec<Entity>,
    overrides: Vec<Arc<Override>>,
}

impl Known {
    pub(super) fn add(&mut self, entity: Entity, cached: &Cached) {
        self.entities.push(entity);
        self.overrides.extend(cached.overrides.iter().cloned());
    }

    /// The rules with these overrides; `None` where there are none.
    pub(crate) fn overlay(&self, ruleset: &Ruleset) -> Option<Ruleset> {
        if self.overrides.is_empty() {
            return None;
        }
        let put = |edit: RulesetBuilder, one: &Arc<Override>| edit.flag_override(Arc::clone(one));
        Some(self.overrides.iter().fold(ruleset.edit(), put).build())
    }
}
