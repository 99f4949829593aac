//! [`View`]: what this opening knows of the file.

use crate::contents::Contents;
use crate::disk::{Found, Seen, Stamp};
use crate::fault::Fault;

/// What this opening knows of the file at one moment.
#[derive(Debug, Default)]
pub(super) struct View {
    /// What the file holds, or held when it could last be read.
    pub(super) contents: Contents,
    /// The version of the file that was looked at last. `None`: there was no file.
    pub(super) seen: Option<Seen>,
    /// Why the contents are not those of that version.
    pub(super) fault: Option<Fault>,
}

impl View {
    /// Whether a look at the file itself would tell nothing new, where that is what its path leads
    /// to.
    pub(super) fn is_certainly(&self, found: &Found<Stamp>) -> bool {
        match (&self.seen, found) {
            (Some(seen), Found::File(stamp)) => seen.is_certainly(stamp),
            // Whether its directory is there would be new.
            _ => false,
        }
    }

    /// Whether the file has no bytes, as while somebody is about to write it.
    pub(super) fn is_of_an_empty_file(&self) -> bool {
        self.seen.is_some_and(|seen| seen.stamp.length() == 0)
    }

    /// The same contents under a later stamp of the same bytes.
    pub(super) fn seen_again(&self, seen: Seen) -> Self {
        Self { contents: self.contents.clone(), seen: Some(seen), fault: self.fault.clone() }
    }

    /// The last good contents, of a file that is not readable as such.
    pub(super) fn faulty(&self, seen: Option<Seen>, fault: Fault) -> Self {
        Self { contents: self.contents.clone(), seen, fault: Some(fault) }
    }
}
