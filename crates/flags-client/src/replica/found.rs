//! What was read of a store, before it is taken in.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use flags_core::{Error, FlagKey, Key, Record};

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

/// What of a listing is not known for sure.
#[derive(Debug)]
pub(crate) struct Unsure {
    /// What changed since it began: it may show an older value than there is.
    pub(crate) keys: HashSet<Key>,
    /// Whether anything may have happened since, such as the store being emptied: what it does not
    /// show may have been there.
    pub(crate) absences: bool,
}
