//! The file's format: the export document, with each record's text kept as it was found.

mod position;
mod read;
mod write;

use flags_core::Kind;

pub(crate) use position::{Broken, Position};
pub(crate) use read::{Element, key_of, read};
pub(crate) use write::{record_text, render};

/// The member that holds the records of a kind, in the order in which they are written.
const LISTS: [(Kind, &str); 6] = [
    (Kind::Flag, "flags"),
    (Kind::Override, "overrides"),
    (Kind::ScheduledChange, "scheduled_changes"),
    (Kind::TimeSchedule, "time_schedules"),
    (Kind::RolloutPhase, "rollout_phases"),
    (Kind::Segment, "segments"),
];
