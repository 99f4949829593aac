//! [`Revision`] and [`Stored`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::record::Record;

/// Which of the values that a record ever had (C4).
///
/// Opaque and unordered; the same on every handle; its text form (`Display`, `FromStr`) survives a
/// round trip through other programs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(Arc<str>);

impl Revision {
    /// The revision that this text stands for. A text that no backend gave is no error: it equals no stored
    /// revision.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Revision {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

/// A record as the store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Which of its values this is.
    pub revision: Revision,
}

impl Stored {
    /// A record with its revision.
    #[must_use]
    pub fn new(record: Record, revision: Revision) -> Self {
        Self { record, revision }
    }
}
