//! What flags answer with.

use flags_core::Json;
use flags_core::json::JsonType;

/// A value of a flag: its exact JSON, and what typed getters hand out, parsed once.
#[derive(Debug)]
pub(crate) struct Served {
    json: Json,
    scalar: Scalar,
}

#[derive(Debug)]
enum Scalar {
    Bool(bool),
    Number { integer: Option<i64>, float: f64 },
    Text(Box<str>),
    Other,
}

impl Served {
    /// `None` is JSON `null`.
    pub(crate) fn new(json: Option<&Json>) -> Option<Self> {
        let json = json.filter(|json| !json.is_null())?;
        let scalar = match json.json_type() {
            JsonType::Boolean => Scalar::Bool(json.text() == "true"),
            JsonType::Number => {
                let float = json.text().parse().unwrap_or(f64::NAN);
                Scalar::Number { integer: integer(json.text(), float), float }
            }
            JsonType::String => match json.to::<String>() {
                Ok(text) => Scalar::Text(text.into()),
                Err(_) => Scalar::Other,
            },
            _ => Scalar::Other,
        };
        Some(Self { json: json.clone(), scalar })
    }
}

/// A number without a fraction that 64 bits hold, also when it is written as `3.0`.
fn integer(text: &str, float: f64) -> Option<i64> {
    let exact = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, reason = "whole, and exact in floating point")]
    text.parse().ok().or_else(|| (float.fract() == 0.0 && float.abs() <= exact).then_some(float as i64))
}

/// The value of a decision, before anyone asks for a type.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'r>(pub(crate) Kind<'r>);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind<'r> {
    Null,
    Bool(bool),
    Served(&'r Served),
}

impl<'r> Answer<'r> {
    pub(crate) fn of(served: Option<&'r Served>) -> Self {
        Self(served.map_or(Kind::Null, Kind::Served))
    }

    pub(crate) fn bool(value: bool) -> Self {
        Self(Kind::Bool(value))
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.0, Kind::Null)
    }

    /// The JSON type.
    #[must_use]
    pub fn json_type(self) -> JsonType {
        match self.0 {
            Kind::Null => JsonType::Null,
            Kind::Bool(_) => JsonType::Boolean,
            Kind::Served(served) => served.json.json_type(),
        }
    }

    /// The exact JSON.
    #[must_use]
    pub fn to_json(self) -> Json {
        match self.0 {
            Kind::Null => Json::null(),
            Kind::Bool(value) => value.into(),
            Kind::Served(served) => served.json.clone(),
        }
    }

    /// If it is `true` or `false`.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            Kind::Bool(value) => Some(value),
            Kind::Served(Served { scalar: Scalar::Bool(value), .. }) => Some(*value),
            _ => None,
        }
    }

    /// If it is a text.
    #[must_use]
    pub fn as_str(self) -> Option<&'r str> {
        match self.0 {
            Kind::Served(Served { scalar: Scalar::Text(text), .. }) => Some(text),
            _ => None,
        }
    }

    /// If it is a number without a fraction that 64 bits hold.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.0 {
            Kind::Served(Served { scalar: Scalar::Number { integer, .. }, .. }) => *integer,
            _ => None,
        }
    }

    /// If it is a number; rounded to the nearest.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        match self.0 {
            Kind::Served(Served { scalar: Scalar::Number { float, .. }, .. }) => Some(*float),
            _ => None,
        }
    }
}

/// The member `enabled` of a boolean flag's variant: `Err` when the variant is no object.
pub(crate) fn enabled_member(variant: &Json) -> Result<Option<Served>, ()> {
    if variant.json_type() != JsonType::Object {
        return Err(());
    }
    let members: std::collections::BTreeMap<String, Json> = variant.to().map_err(|_| ())?;
    match members.get("enabled") {
        None => Ok(Served::new(Some(&Json::from(false)))),
        Some(enabled) => Ok(Served::new(Some(enabled))),
    }
}
