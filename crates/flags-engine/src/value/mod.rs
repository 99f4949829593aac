//! [`Value`]: a JSON value with the distinctions that conditions make.

mod compare;
mod int;
mod object;
mod parse;
mod text;

use std::fmt;
use std::sync::Arc;

use flags_core::{Json, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use compare::{contains, equal, order, truthy};
pub(crate) use int::Int;
pub use object::Object;
pub(crate) use parse::parse;
pub use parse::{InvalidValue, MAX_DEPTH};
pub(crate) use text::{display, is_space};

/// A JSON value, parsed once and compared often.
///
/// An integer is no float and keeps its size, whatever it is: `1`, `1.0` and `true` are three values, which
/// compare as the semantics says. Cloning costs a pointer at most.
///
/// Deserializes exactly **with `serde_json` alone**, since other formats cannot pass JSON text through.
#[derive(Clone)]
pub struct Value(pub(crate) Inner);

#[derive(Debug, Clone)]
pub(crate) enum Inner {
    Null,
    Bool(bool),
    Int(Int),
    Float(f64),
    Str(Arc<str>),
    List(Arc<[Value]>),
    Object(Arc<Object>),
}

/// A value as conditions look at it: borrowed, and also from places that hold no [`Value`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    Null,
    Bool(bool),
    Small(i64),
    /// The canonical digits of an integer beyond 64 bits.
    Big(&'a str),
    Float(f64),
    Str(&'a str),
    List(&'a [Value]),
    Object(&'a Object),
    /// The instant of evaluation.
    Instant(Timestamp),
}

impl Value {
    /// JSON `null`.
    pub const NULL: Self = Self(Inner::Null);

    /// The list of these values.
    pub fn list<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        Self(Inner::List(items.into_iter().map(Into::into).collect()))
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Inner::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.0, Inner::Null)
    }

    pub(crate) fn view(&self) -> View<'_> {
        match &self.0 {
            Inner::Null => View::Null,
            Inner::Bool(value) => View::Bool(*value),
            Inner::Int(Int::Small(value)) => View::Small(*value),
            Inner::Int(Int::Big(digits)) => View::Big(digits),
            Inner::Float(value) => View::Float(*value),
            Inner::Str(text) => View::Str(text),
            Inner::List(items) => View::List(items),
            Inner::Object(object) => View::Object(object),
        }
    }
}

/// As JSON text, infinity as a number that reads back as it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::json(self.view(), f)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({self})")
    }
}

impl View<'_> {
    /// The value as JSON text, an instant as a string.
    pub(crate) fn to_json(self) -> Json {
        struct Shown<'a>(View<'a>);
        impl fmt::Display for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                text::json(self.0, f)
            }
        }
        // Text written as JSON is JSON.
        Shown(self).to_string().parse().unwrap_or_default()
    }
}

/// Equal as Python compares: `true`, `1` and `1.0` are, also inside lists and objects.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        equal(self.view(), other.view())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self(Inner::Bool(value))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self(Inner::Int(Int::Small(value)))
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        i64::from(value).into()
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        i64::from(value).into()
    }
}

/// Exact, also beyond what a signed integer of 64 bits holds.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self(Inner::Int(Int::from_json(&value.to_string())))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self(Inner::Float(value))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(Inner::Str(text.into()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(Inner::Str(text.into()))
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::list(items)
    }
}

impl TryFrom<&Json> for Value {
    type Error = InvalidValue;

    fn try_from(json: &Json) -> Result<Self, InvalidValue> {
        parse(json.text())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(&Json::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.view().to_json().serialize(serializer)
    }
}
