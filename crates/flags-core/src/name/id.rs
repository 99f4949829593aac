//! Ids: one UUID type a record kind.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $Id:ident) => {
        $(#[$doc])*
        ///
        /// Text form: the hyphenated lower-case UUID; every form that `uuid` parses is accepted.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $Id(Uuid);

        impl $Id {
            /// A new random (version 4) id.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "a default that differs each time surprises")]
            pub fn new() -> Self {
                Self(Uuid::new_v4())
            }

            /// The id that is this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID that this id is.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl From<Uuid> for $Id {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$Id> for Uuid {
            fn from(id: $Id) -> Self {
                id.0
            }
        }

        impl FromStr for $Id {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $Id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $Id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($Id), "({})"), self.0)
            }
        }
    };
}

id! {
    /// The id of a [`Flag`](crate::Flag): unique, and bound to the flag's key for life.
    FlagId
}
id! {
    /// The id of a [`Rule`](crate::Rule) within its flag.
    RuleId
}
id! {
    /// The id of a [`Variant`](crate::Variant) within its flag.
    VariantId
}
id! {
    /// The id of an [`Override`](crate::Override). An override is addressed by its flag and entity, not by this.
    OverrideId
}
id! {
    /// The id of a [`ScheduledChange`](crate::ScheduledChange).
    ScheduledChangeId
}
id! {
    /// The id of a [`TimeSchedule`](crate::TimeSchedule).
    TimeScheduleId
}
id! {
    /// The id of a [`RolloutPhase`](crate::RolloutPhase).
    RolloutPhaseId
}
id! {
    /// The id of a [`Segment`](crate::Segment).
    SegmentId
}
