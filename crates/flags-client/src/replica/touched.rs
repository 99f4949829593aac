//! [`Touched`].

use std::collections::{BTreeSet, HashMap};

use flags_core::validate::SEGMENT_OPERATORS;
use flags_core::{Condition, FlagId, FlagKey};
use flags_engine::Ruleset;

/// What taking in records touched.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    flags: BTreeSet<FlagKey>,
    pub(crate) segments: bool,
    pub(crate) unreadable: bool,
    /// The ids of flags that were not there before.
    pub(crate) new_flags: Vec<FlagId>,
}

impl Touched {
    pub(super) fn flag(&mut self, key: &FlagKey) {
        self.flags.insert(key.clone());
    }

    pub(super) fn owner(&mut self, flag_keys: &HashMap<FlagId, FlagKey>, id: FlagId) {
        if let Some(key) = flag_keys.get(&id) {
            self.flag(key);
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.flags.extend(other.flags);
        self.segments |= other.segments;
        self.unreadable |= other.unreadable;
        self.new_flags.extend(other.new_flags);
    }

    /// The flags that may decide otherwise now; with a segment, each that asks for one.
    pub(crate) fn into_flags(mut self, ruleset: &Ruleset) -> BTreeSet<FlagKey> {
        if self.segments {
            let asking = ruleset.flags().filter(|flag| {
                let mut conditions = flag.rules.iter().flat_map(|rule| &rule.conditions);
                conditions.any(asks_for_a_segment)
            });
            self.flags.extend(asking.map(|flag| flag.key.clone()));
        }
        self.flags
    }
}

fn asks_for_a_segment(condition: &Condition) -> bool {
    let operator = condition.parts().ok().and_then(|parts| parts.operator);
    operator.is_some_and(|operator| SEGMENT_OPERATORS.contains(&&*operator))
}
