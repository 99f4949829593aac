//! What was read of a store, before it is taken in.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use flags_core::{Condition, Error, FlagKey, Key, Record};

use super::Records;

/// What was found under a key.
#[derive(Debug)]
pub(crate) enum Found {
    Record(Record),
    Nothing(Key),
    Unreadable(Key, Error),
}

impl Found {
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Record(record) => record.key(),
            Self::Nothing(key) | Self::Unreadable(key, _) => key.clone(),
        }
    }

    /// How much work these are to take in.
    pub(crate) fn weight(found: &[Self]) -> usize {
        let records = found.iter().filter_map(|one| match one {
            Self::Record(record) => Some(record),
            _ => None,
        });
        weight(found.len(), records)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing(_))
    }

    /// The key of the flag, be there one or not.
    pub(crate) fn flag_key(&self) -> Option<FlagKey> {
        match self.key() {
            Key::Flag(key) => Some(key),
            _ => None,
        }
    }

    /// Whether there is a flag, readable or not.
    pub(crate) fn is_a_flag(&self) -> bool {
        !self.is_nothing() && self.flag_key().is_some()
    }
}

/// As many as there are, or beyond any bound: to compile a pattern may take long, and a small flag
/// may have many.
fn weight<'a>(count: usize, records: impl IntoIterator<Item = &'a Record>) -> usize {
    if records.into_iter().any(has_patterns) { usize::MAX } else { count }
}

fn has_patterns(record: &Record) -> bool {
    let has_pattern = |conditions: &[Condition]| {
        conditions.iter().any(|condition| condition.json().text().contains("matches"))
    };
    match record {
        Record::Flag(flag) => flag.rules.iter().any(|rule| has_pattern(&rule.conditions)),
        Record::Segment(segment) => has_pattern(&segment.conditions),
        _ => false,
    }
}

/// A whole store, as it was listed.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) records: Records,
    pub(crate) unreadable: BTreeMap<Key, Error>,
    /// What cannot be read, nor its name.
    pub(crate) nameless: Vec<Arc<Error>>,
    /// Flags, readable or not.
    pub(crate) flags: usize,
}

impl Listed {
    /// How much work it is to take in.
    pub(crate) fn weight(&self) -> usize {
        weight(self.records.len(), self.records.iter())
    }
}

/// What of a listing is not known for sure.
#[derive(Debug)]
pub(crate) struct Unsure {
    /// What changed since it began: it may show an older value than there is.
    pub(crate) keys: HashSet<Key>,
    /// Whether anything may have happened since, such as the store being emptied: what it does not
    /// show may have been there.
    pub(crate) absences: bool,
}
