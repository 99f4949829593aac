//! The records, as their users see them.
//!
//! Each is a plain struct with public members and the wire form of the origin (see the crate `feature-flags`
//! for its name and version); serde gives exactly the stored JSON. Members that a record does not know are in
//! its `extra` and are written back. Constructors fill in what a new record usually has; nothing is checked
//! here but what the types themselves refuse: the typed API validates what it writes (see
//! [`validate`](crate::validate)), since the store may hold what another writer found acceptable.

mod condition;
mod flag;
mod overrides;
mod phase;
mod rule;
mod scheduled_change;
mod segment;
mod serde_with;
mod time_schedule;
mod variant;

pub use condition::{Condition, ConditionParts};
pub use flag::{Flag, FlagStatus, FlagType};
pub use overrides::Override;
pub use phase::RolloutPhase;
pub use rule::Rule;
pub use scheduled_change::{ChangeType, ScheduledChange};
pub use segment::Segment;
pub use time_schedule::{RecurrenceType, TimeSchedule};
pub use variant::Variant;

/// An enumeration whose wire form is one lower-case word.
macro_rules! word_enum {
    ($(#[$doc:meta])* $Enum:ident { $($(#[$vdoc:meta])* $Variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum $Enum {
            $($(#[$vdoc])* #[serde(rename = $word)] $Variant,)+
        }

        impl $Enum {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$Variant),+];

            /// The word that stands for it on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
use word_enum;
