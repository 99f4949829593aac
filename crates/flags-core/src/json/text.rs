//! [`Json`]: one JSON value as its exact text.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::scan;

/// One JSON value, kept as the exact text it was read as.
///
/// Nothing is rounded and nothing is reordered: 2^70, `1e400`, `-0.0` and duplicate members come back
/// byte for byte. Two values are equal when their texts are: `1` is not `1.0`.
///
/// * The text is valid JSON without surrounding white space.
/// * It holds no lone surrogate escape. (`NaN` and `Infinity`, which Python can write, are not JSON.)
///
/// Serializes as the value itself, and deserializes from any value, **with `serde_json` alone**: other
/// formats have no way to pass JSON text through.
///
/// # Examples
///
/// ```
/// use flags_core::Json;
///
/// let json: Json = r#"{"limit": 1180591620717411303424}"#.parse()?;
/// assert_eq!(json.text(), r#"{"limit": 1180591620717411303424}"#);
/// assert_eq!(Json::from("on").text(), r#""on""#);
/// assert_eq!(Json::from(3).to::<u8>()?, 3);
/// # Ok::<(), flags_core::json::InvalidJson>(())
/// ```
#[derive(Clone)]
pub struct Json(Box<RawValue>);

/// The JSON type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum JsonType {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

/// Text that is no JSON value, or a value that is not of the asked type.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct InvalidJson {
    message: &'static str,
    source: Option<crate::BoxError>,
}

impl InvalidJson {
    fn new(message: &'static str, source: impl Into<crate::BoxError>) -> Self {
        Self { message, source: Some(source.into()) }
    }
}

impl Json {
    /// The value that serializing `value` gives.
    ///
    /// # Errors
    ///
    /// When `value` has no JSON form: a map with keys that are no strings, say.
    pub fn new(value: &impl Serialize) -> Result<Self, InvalidJson> {
        serde_json::value::to_raw_value(value)
            .map(Self)
            .map_err(|source| InvalidJson::new("the value has no JSON form", source))
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// `{}`.
    #[must_use]
    pub fn empty_object() -> Self {
        // `to_raw_value` of an empty map cannot fail; `null` is the nearest honest answer if it did.
        Self::new(&std::collections::BTreeMap::<String, ()>::new()).unwrap_or_else(|_| Self::null())
    }

    /// The exact text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The value's type, from its first byte.
    #[must_use]
    pub fn json_type(&self) -> JsonType {
        match self.text().as_bytes().first() {
            Some(b'n') => JsonType::Null,
            Some(b't' | b'f') => JsonType::Boolean,
            Some(b'"') => JsonType::String,
            Some(b'[') => JsonType::Array,
            Some(b'{') => JsonType::Object,
            _ => JsonType::Number,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.json_type() == JsonType::Null
    }

    /// The value as a Rust type. `serde_json::Value` takes anything up to its recursion limit, and rounds
    /// numbers past 64 bits.
    ///
    /// # Errors
    ///
    /// When the value does not fit `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, InvalidJson> {
        serde_json::from_str(self.text())
            .map_err(|source| InvalidJson::new("the JSON value is not of that type", source))
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::null()
    }
}

impl FromStr for Json {
    type Err = InvalidJson;

    fn from_str(text: &str) -> Result<Self, InvalidJson> {
        serde_json::from_str(text).map_err(|source| InvalidJson::new("not a JSON value", source))
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        serde_json::Value::from(text).into()
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        serde_json::Value::from(value).into()
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        serde_json::Value::from(value).into()
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        // A `Value` always has a JSON text.
        Self::new(&value).unwrap_or_default()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Json {}

impl Hash for Json {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({})", self.text())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        scan::check(raw.get()).map_err(D::Error::custom)?;
        Ok(Self(raw))
    }
}
