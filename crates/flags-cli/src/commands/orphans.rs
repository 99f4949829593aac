//! Records whose flag does not exist.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use feature_flags::{Error, ErrorKind, FlagId, Key, Kind, Record};

use super::Session;
use crate::failure::{Exit, Failure, noun};

/// Finds them in a reading of the whole store that begins with the flags.
#[derive(Default)]
pub(super) struct Orphans {
    flags: HashSet<FlagId>,
    suspects: Vec<(FlagId, Key)>,
    /// Whether a flag could not be read, so that nobody knows its id.
    doubtful: bool,
}

/// Records whose flag was not found.
pub(super) struct Ownerless {
    pub(super) keys: Vec<Key>,
    /// What that says about their flags.
    pub(super) why: Why,
}

/// Why the flag of a record was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Every flag was read, and it is none of them.
    Missing,
    /// It may be a flag that cannot be read: the record may still be wanted.
    Unknown,
}

impl Orphans {
    /// Takes note of a record that cannot be read.
    pub(super) fn unreadable(&mut self, error: &Error) {
        self.doubtful |= error.key().is_none_or(|key| key.kind() == Kind::Flag);
    }

    /// Takes note that not every flag was read.
    pub(super) fn doubt(&mut self) {
        self.doubtful = true;
    }

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
    pub(super) async fn found(self, session: &Session) -> Result<Ownerless, Failure> {
        let mut why = if self.doubtful { Why::Unknown } else { Why::Missing };
        let mut exists: HashMap<FlagId, bool> = HashMap::new();
        let mut keys = Vec::new();
        for (owner, key) in self.suspects {
            let exists = match exists.entry(owner) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(match session.store.get_flag_by_id(owner).await {
                    Ok(flag) => flag.is_some(),
                    // It is there, and as good as unknown.
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        why = Why::Unknown;
                        false
                    }
                    Err(error) => return Err(error.into()),
                }),
            };
            if !exists {
                keys.push(key);
            }
        }
        Ok(Ownerless { keys, why })
    }
}

impl Why {
    /// What to say of such a record. It is no failure of the command.
    pub(super) fn about(self, key: &Key) -> Failure {
        let noun = noun(key.kind());
        let (kind, message, hint) = match self {
            Self::Missing => (
                "orphan",
                "its flag does not exist, so nobody uses it",
                format!(
                    "`flags {noun} list --orphans` shows such records, `flags {noun} delete` deletes them"
                ),
            ),
            Self::Unknown => (
                "flag_unknown",
                "its flag either cannot be read or does not exist",
                "do not delete it yet: mend the flags that cannot be read, and look again".to_owned(),
            ),
        };
        let mut failure = Failure::input(message, hint).about(Some(key));
        (failure.exit, failure.kind) = (Exit::Ok, kind);
        failure
    }
}
