//! Records whose flag does not exist.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use feature_flags::{FlagId, Key, Record};

use super::Session;
use crate::failure::Failure;

/// Finds them in a reading of the whole store that begins with the flags.
#[derive(Default)]
pub(super) struct Orphans {
    flags: HashSet<FlagId>,
    suspects: Vec<(FlagId, Key)>,
}

impl Orphans {
    /// Looks at the next record; whether its flag was read before, if it has one.
    pub(super) fn look(&mut self, record: &Record) -> bool {
        if let Record::Flag(flag) = record {
            self.flags.insert(flag.id);
        }
        match record.owner() {
            Some(owner) if !self.flags.contains(&owner) => {
                self.suspects.push((owner, record.key()));
                false
            }
            _ => true,
        }
    }

    /// Those whose flag was not created meanwhile either.
    pub(super) async fn found(self, session: &Session) -> Result<Vec<Key>, Failure> {
        let mut exists: HashMap<FlagId, bool> = HashMap::new();
        let mut found = Vec::new();
        for (owner, key) in self.suspects {
            let exists = match exists.entry(owner) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(session.store.get_flag_by_id(owner).await?.is_some()),
            };
            if !exists {
                found.push(key);
            }
        }
        Ok(found)
    }
}
