//! [`Moving`]: the second server of a store while its keys move, in a cluster.
//!
//! The server that has the keys still says nothing of those that it has given away already, though they may
//! change. So the one that is getting them is followed as well, from the heartbeat on that finds them moving.

use crate::connection::Followed;
use crate::driver::Push;

/// Whether the keys are moving, and if so how that is followed.
#[derive(Debug)]
pub(super) enum Moving {
    No,
    Followed(Followed),
    /// They are, and nobody tells what changes there: at every heartbeat anything may have.
    Blind,
}

/// What a heartbeat has found of it.
#[derive(Debug)]
pub(super) enum Found {
    /// Nobody could say.
    Unknown,
    Settled,
    /// The connection of that number leads to where the keys are going, which is now followed, or was
    /// already.
    Going(u64, Option<Followed>),
    /// They are going where nobody answers.
    Away,
}

impl Moving {
    /// The number of the connection that leads to where the keys are going, where that is followed.
    pub(super) fn beside(&self) -> Option<u64> {
        match self {
            Self::Followed(followed) => Some(followed.beside),
            Self::No | Self::Blind => None,
        }
    }

    /// What is told from there; nothing, for ever, where it is not followed.
    pub(super) async fn told(&mut self) -> Push {
        match self {
            Self::Followed(followed) => followed.pushes.recv().await.unwrap_or(Push::Lost),
            Self::No | Self::Blind => std::future::pending().await,
        }
    }

    /// Takes in what was found; says whether anything may have changed unsaid.
    pub(super) fn take(&mut self, found: Found) -> bool {
        let (next, missed) = match (found, std::mem::replace(self, Self::No)) {
            (Found::Unknown, as_before) => (as_before, false),
            (Found::Settled, Self::No) => (Self::No, false),
            // It was called off, and what is there is no part of the store any more.
            (Found::Settled, _) => (Self::No, true),
            (Found::Going(number, None), as_before) if as_before.beside() == Some(number) => {
                (as_before, false)
            }
            (Found::Going(_, Some(followed)), _) => (Self::Followed(followed), true),
            (Found::Going(_, None) | Found::Away, _) => (Self::Blind, true),
        };
        *self = next;
        missed
    }
}
