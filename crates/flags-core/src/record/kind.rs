//! [`Kind`].

use std::fmt;

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Kind {
    Flag,
    Override,
    ScheduledChange,
    TimeSchedule,
    RolloutPhase,
    Segment,
}

impl Kind {
    /// Every kind; flags first, what they own next, segments last: the order in which an import writes.
    pub const ALL: [Self; 6] = [
        Self::Flag,
        Self::Override,
        Self::ScheduledChange,
        Self::TimeSchedule,
        Self::RolloutPhase,
        Self::Segment,
    ];

    /// The kinds that a flag owns (C6).
    pub const OWNED: [Self; 4] =
        [Self::Override, Self::ScheduledChange, Self::TimeSchedule, Self::RolloutPhase];

    /// The kind as one word in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Override => "override",
            Self::ScheduledChange => "scheduled_change",
            Self::TimeSchedule => "time_schedule",
            Self::RolloutPhase => "rollout_phase",
            Self::Segment => "segment",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
