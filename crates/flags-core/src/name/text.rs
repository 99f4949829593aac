//! Names: text with a rule.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// A text that cannot be that name, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {what}: {reason}")]
pub struct InvalidName {
    what: &'static str,
    reason: &'static str,
}

impl InvalidName {
    /// What it should have been: `a flag key`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }
}

impl From<InvalidName> for crate::Error {
    fn from(error: InvalidName) -> Self {
        let reason = error.to_string();
        Self::new(crate::ErrorKind::Invalid, reason).with_source(error)
    }
}

/// The longest name, in bytes.
const MAX_BYTES: usize = 255;

fn bounded(text: &str) -> Result<(), &'static str> {
    match text.len() {
        0 => Err("it is empty; at least 1 byte is needed"),
        1..=MAX_BYTES => Ok(()),
        _ => Err("it is too long; at most 255 bytes are allowed"),
    }
}

fn unambiguous(text: &str) -> Result<(), &'static str> {
    if text.contains(':') {
        return Err("it holds `:`, which would make the override's key ambiguous");
    }
    bounded(text)
}

fn anything(_: &str) -> Result<(), &'static str> {
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $Name:ident, $what:literal, $rule:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// The text as this name.
            ///
            /// # Errors
            ///
            /// [`InvalidName`] when the text breaks a rule above.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, InvalidName> {
                let text = text.into();
                match $rule(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(reason) => Err(InvalidName { what: $what, reason }),
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $Name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $Name {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $Name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $Name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $Name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $Name {
            fn eq(&self, text: &str) -> bool {
                &*self.0 == text
            }
        }

        impl PartialEq<&str> for $Name {
            fn eq(&self, text: &&str) -> bool {
                &*self.0 == *text
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($Name), "({:?})"), &*self.0)
            }
        }

        impl Serialize for $Name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).and_then(|text| Self::new(text).map_err(D::Error::custom))
            }
        }
    };
}

name! {
    /// What code asks for: the key of a [`Flag`](crate::Flag).
    ///
    /// * 1 to 255 bytes,
    /// * any character.
    FlagKey, "a flag key", bounded
}
name! {
    /// The kind of entity that an [`Override`](crate::Override) is for: `user`, `organization`, `tenant`,
    /// `targeting_key`, or one of your own.
    ///
    /// * 1 to 255 bytes,
    /// * any character but `:`.
    EntityType, "an entity type", unambiguous
}
name! {
    /// Which entity an [`Override`](crate::Override) is for.
    ///
    /// * Any text, also an empty one: contexts may hold an empty user id, and it is looked up.
    /// * Its length is bounded by the backend's limit on keys.
    EntityId, "an entity id", anything
}
name! {
    /// The unique name of a [`Segment`](crate::Segment).
    ///
    /// * 1 to 255 bytes,
    /// * any character.
    SegmentName, "a segment name", bounded
}
