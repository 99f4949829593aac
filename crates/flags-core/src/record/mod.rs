//! What a backend sees of a record: its key, its alias, its owner and its expiry.

pub(crate) mod codec;
mod key;
mod kind;
mod model;

use std::sync::Arc;

pub use key::{Alias, Key};
pub use kind::Kind;
pub use model::Model;

use crate::model::{Flag, Override, RolloutPhase, ScheduledChange, Segment, TimeSchedule};
use crate::name::FlagId;
use crate::time::Timestamp;

/// One record of any kind. Shared and immutable: cloning costs a pointer, and what a caller does with
/// a record never changes the store it came from (C10).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is the kind of that name")]
pub enum Record {
    Flag(Arc<Flag>),
    Override(Arc<Override>),
    ScheduledChange(Arc<ScheduledChange>),
    TimeSchedule(Arc<TimeSchedule>),
    RolloutPhase(Arc<RolloutPhase>),
    Segment(Arc<Segment>),
}

impl Record {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Flag(_) => Kind::Flag,
            Self::Override(_) => Kind::Override,
            Self::ScheduledChange(_) => Kind::ScheduledChange,
            Self::TimeSchedule(_) => Kind::TimeSchedule,
            Self::RolloutPhase(_) => Kind::RolloutPhase,
            Self::Segment(_) => Kind::Segment,
        }
    }

    /// Its primary name.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Flag(record) => record.key(),
            Self::Override(record) => record.key(),
            Self::ScheduledChange(record) => record.key(),
            Self::TimeSchedule(record) => record.key(),
            Self::RolloutPhase(record) => record.key(),
            Self::Segment(record) => record.key(),
        }
    }

    /// Its second unique name (C7): a flag's id, a segment's name.
    #[must_use]
    pub fn alias(&self) -> Option<Alias> {
        match self {
            Self::Flag(flag) => Some(Alias::FlagId(flag.id)),
            Self::Segment(segment) => Some(Alias::SegmentName(segment.name.clone())),
            _ => None,
        }
    }

    /// The flag with which it lives and dies (C6).
    #[must_use]
    pub fn owner(&self) -> Option<FlagId> {
        match self {
            Self::Flag(_) | Self::Segment(_) => None,
            Self::Override(o) => Some(o.flag_id),
            Self::ScheduledChange(change) => Some(change.flag_id),
            Self::TimeSchedule(schedule) => Some(schedule.flag_id),
            Self::RolloutPhase(phase) => Some(phase.flag_id),
        }
    }

    /// From this instant on it does not exist (C8).
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Override(o) => o.expires_at,
            _ => None,
        }
    }

    /// Whether it does not exist any more at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|at| at <= now)
    }
}
