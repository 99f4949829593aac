//! What the typed API checks before it writes.
//!
//! The checks bind [`FlagStore`](crate::FlagStore) only: an import and a bare
//! [`commit`](crate::Storage::commit) carry whatever the store held before. An update judges only what
//! differs from the stored record, so that a flag that another writer wrote loosely can still be switched
//! off.

mod conditions;
mod flag;
mod schedule;

pub use conditions::{OPERATORS, SEGMENT_OPERATORS};

use std::fmt;
use std::ops::RangeInclusive;

use crate::error::{Error, ErrorKind};
use crate::model::{Override, RolloutPhase, ScheduledChange, Segment};
use crate::open::Extra;
use crate::record::{Key, Model};

/// The first problem that was not there before, counting each as often as it comes.
pub(crate) fn first_new(problems: Vec<Problem>, mut before: Vec<Problem>) -> Option<Problem> {
    problems.into_iter().find(|problem| match before.iter().position(|known| known == problem) {
        Some(known) => {
            before.swap_remove(known);
            false
        }
        None => true,
    })
}

/// The member of every record that a program may add when it prints one, and that is never stored.
pub const RESERVED_MEMBER: &str = "revision";

/// One thing that is wrong with a record. Equal to the same problem with the same value, wherever it moved.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
#[non_exhaustive]
pub struct Problem {
    /// The member, as a path; rules and variants are named by their id or key, which edits do not shift.
    pub field: String,
    /// What is wrong, and what would be right.
    pub reason: String,
    /// The value that is wrong: compared, and never shown.
    value: String,
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Problem({self})")
    }
}

impl Problem {
    fn new(field: impl Into<String>, reason: impl Into<String>, value: impl fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.into(), value: value.to_string() }
    }

    /// This as an error of the write it forbids.
    #[must_use]
    pub fn into_error(self, key: Key) -> Error {
        Error::new(ErrorKind::Invalid, self.reason).with_field(self.field).with_key(key)
    }
}

/// A record that can be checked by itself.
///
/// Sealed, as [`Model`] is.
pub trait Validate: Model {
    /// Everything that is wrong with it, in the order of its members.
    fn problems(&self) -> Vec<Problem>;
}

impl Validate for Override {
    fn problems(&self) -> Vec<Problem> {
        reserved("", &self.extra).into_iter().collect()
    }
}

impl Validate for ScheduledChange {
    fn problems(&self) -> Vec<Problem> {
        let percentage = self.new_rollout_percentage;
        let percentage = percentage.and_then(|p| out_of("new_rollout_percentage", p, &PERCENTAGE));
        percentage.into_iter().chain(reserved("", &self.extra)).collect()
    }
}

impl Validate for RolloutPhase {
    fn problems(&self) -> Vec<Problem> {
        let percentage = out_of("target_percentage", self.target_percentage, &PERCENTAGE);
        percentage.into_iter().chain(reserved("", &self.extra)).collect()
    }
}

impl Validate for Segment {
    fn problems(&self) -> Vec<Problem> {
        let conditions = conditions::problems("", &self.conditions);
        let own_parent = (self.parent_segment_id == Some(self.id))
            .then(|| Problem::new("parent_segment_id", "a segment cannot be its own parent", self.id));
        conditions.into_iter().chain(own_parent).chain(reserved("", &self.extra)).collect()
    }
}

const PERCENTAGE: RangeInclusive<i64> = 0..=100;

fn out_of(field: impl Into<String>, value: i64, range: &RangeInclusive<i64>) -> Option<Problem> {
    let reason = match (range.start(), range.end()) {
        (low, &i64::MAX) => format!("must be {low} or more"),
        (low, high) => format!("must be within {low} to {high}"),
    };
    (!range.contains(&value)).then(|| Problem::new(field, reason, value))
}

/// The reserved member among unknown ones; `path` ends in a dot, or is empty.
fn reserved(path: &str, extra: &Extra) -> Option<Problem> {
    let reason = "is reserved for printed records; remove it, or pass it as the expected revision";
    extra.get(RESERVED_MEMBER).map(|value| Problem::new(format!("{path}{RESERVED_MEMBER}"), reason, value))
}
