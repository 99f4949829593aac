//! [`Finding`]: what an inspection of a store finds.

use std::fmt;

use crate::record::Key;

/// Something about the way a store keeps its records that is not as it should be: an index without its
/// record, say. What is wrong with a record itself, the typed API tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub flaw: Flaw,
    /// Where, in the words of the store: the name of its key.
    pub place: String,
    /// The record that it is about, where it is about one.
    pub key: Option<Key>,
    /// What became of it.
    pub remedy: Remedy,
}

/// A kind of flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// An index names a record that does not exist.
    Dangling,
    /// A record is missing from an index, so that listings by it do not show the record.
    Unindexed,
    /// The index of one flag names a record that another flag owns.
    Misplaced,
    /// An alias leads to a record that does not bear it.
    StaleAlias,
    /// Two records bear one alias.
    SharedAlias,
    /// What is stored under the key is of another type than the store keeps there.
    WrongType,
}

/// What can be done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// It can be mended without losing anything; this inspection only looked.
    Mendable,
    /// It was mended.
    Mended,
    /// It was gone or had changed when it was about to be mended. The next inspection tells.
    Changed,
    /// Somebody has to decide what is right.
    ByHand,
}

impl Flaw {
    /// Its name for programs, in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dangling => "dangling_entry",
            Self::Unindexed => "unindexed",
            Self::Misplaced => "misplaced_entry",
            Self::StaleAlias => "stale_alias",
            Self::SharedAlias => "shared_alias",
            Self::WrongType => "wrong_type",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dangling => "the index names a record that does not exist",
            Self::Unindexed => "the record is missing from the index",
            Self::Misplaced => "the index names a record that another flag owns",
            Self::StaleAlias => "the alias leads to a record that does not bear it",
            Self::SharedAlias => {
                "another record bears the same alias, so that neither is found by it for sure"
            }
            Self::WrongType => "the key holds another type than this store keeps there",
        })
    }
}

impl Remedy {
    /// Its name for programs, in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mendable => "mendable",
            Self::Mended => "mended",
            Self::Changed => "changed",
            Self::ByHand => "by_hand",
        }
    }
}

impl Finding {
    /// A finding about a place in the store.
    #[must_use]
    pub fn new(flaw: Flaw, place: impl Into<String>, remedy: Remedy) -> Self {
        Self { flaw, place: place.into(), key: None, remedy }
    }

    /// Names the record that it is about.
    #[must_use]
    pub fn with_key(self, key: impl Into<Option<Key>>) -> Self {
        Self { key: key.into(), ..self }
    }
}
