//! [`Query`].

use crate::name::FlagId;
use crate::record::{Alias, Kind, Record};

/// What a listing lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Query {
    /// Every record of that kind.
    All(Kind),
    /// Every record of that kind that the flag owns.
    Owned(Kind, FlagId),
    /// The one record with that alias, if there is one.
    Alias(Alias),
}

impl Query {
    /// The kind of record that it lists.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::All(kind) | Self::Owned(kind, _) => *kind,
            Self::Alias(alias) => alias.kind(),
        }
    }

    /// Whether the record is one that it lists.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        record.kind() == self.kind()
            && match self {
                Self::All(_) => true,
                Self::Owned(_, owner) => record.owner() == Some(*owner),
                Self::Alias(alias) => record.alias().as_ref() == Some(alias),
            }
    }
}
