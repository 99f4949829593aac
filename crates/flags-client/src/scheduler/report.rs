//! [`Report`]: what one run of due changes did.

use flags_core::{Error, FlagKey, Key, Timestamp};

/// What one [`run_due`](super::Scheduler::run_due) did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Applied by this run, of each flag in the order in which it happened.
    pub applied: Vec<Applied>,
    /// What could not be applied, also for want of a flag: marked as executed, with why in its member
    /// `error`, so that it blocks nothing and is not tried for ever.
    pub refused: Vec<Refused>,
    /// Executed, by this run or another scheduler: the store did not answer when this run tried.
    pub settled: Vec<Key>,
    /// Records that could not be read, and flags of which the store would not say anything. What is due there
    /// is still pending.
    pub errors: Vec<Error>,
    /// When the next change or phase is due, if there is one.
    pub next_due: Option<Timestamp>,
}

/// A change or phase that was applied to its flag.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// The change or phase.
    pub key: Key,
    /// Its flag.
    pub flag: FlagKey,
}

/// A change or phase that could not be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The change or phase.
    pub key: Key,
    /// Its flag; `None` where there is none (any more).
    pub flag: Option<FlagKey>,
    /// Why.
    pub reason: String,
}

impl Report {
    /// Whether the run neither changed nor missed anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty()
            && self.refused.is_empty()
            && self.settled.is_empty()
            && self.errors.is_empty()
    }

    /// Adds what was done to another flag.
    pub(super) fn add(&mut self, other: Self) {
        self.applied.extend(other.applied);
        self.refused.extend(other.refused);
        self.settled.extend(other.settled);
        self.errors.extend(other.errors);
    }
}
