//! Ids: one UUID type a record kind.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _};
use uuid::Uuid;

/// The UUID of 36 characters; of the forms that `uuid` parses no other has as many.
fn hyphenated(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok().filter(|_| text.len() == uuid::fmt::Hyphenated::LENGTH)
}

macro_rules! id {
    ($(#[$doc:meta])* $Id:ident) => {
        $(#[$doc])*
        ///
        /// Text form: the hyphenated lower-case UUID. `FromStr` accepts every form that `uuid` parses, a
        /// stored record only the hyphenated one, in either case: other writers look a record up by that
        /// text.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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

        impl<'de> Deserialize<'de> for $Id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <Cow<'de, str>>::deserialize(deserializer)?;
                hyphenated(&text).map(Self).ok_or_else(|| D::Error::custom("not a hyphenated UUID"))
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
    /// The id of an [`Override`](crate::Override). An override is addressed by its flag and entity, not by
    /// this.
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
