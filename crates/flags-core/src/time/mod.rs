//! Instants and times of day, in the forms that Python's `isoformat()` writes.

mod of_day;
mod timestamp;

pub use of_day::TimeOfDay;
pub use timestamp::Timestamp;

/// Text that is no instant, or no time of day.
#[derive(Debug, thiserror::Error)]
#[error("not {what}: {reason}")]
pub struct InvalidTime {
    what: &'static str,
    reason: &'static str,
    source: Option<crate::BoxError>,
}

impl InvalidTime {
    fn new(what: &'static str, reason: &'static str) -> Self {
        Self { what, reason, source: None }
    }

    fn because(what: &'static str, reason: &'static str, source: impl Into<crate::BoxError>) -> Self {
        Self { what, reason, source: Some(source.into()) }
    }
}

/// Serde through the text form: `Display` out, `FromStr` in.
macro_rules! serde_as_text {
    ($Type:ident) => {
        impl serde::Serialize for $Type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
use serde_as_text;
