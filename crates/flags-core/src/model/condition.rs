//! [`Condition`].

use serde::{Deserialize, Serialize};

use crate::json::{InvalidJson, Json};
use crate::open::{Extra, open_record};

/// One condition of a rule or segment: an attribute of the evaluation context, an operator, a value.
///
/// Kept as the exact JSON it came as, of whatever shape: a condition that this version cannot read
/// belongs to somebody who can. [`parts`](Self::parts) reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Condition(Json);

/// The usual shape of a [`Condition`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct ConditionParts {
    /// The attribute of the context to look at.
    #[serde(default)]
    pub attribute: Option<String>,
    /// The operator, by its name; absent, it is `eq`.
    #[serde(default)]
    pub operator: Option<String>,
    /// What the attribute is compared with; `None` is JSON `null`.
    #[serde(default)]
    pub value: Option<Json>,
    /// Members that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

open_record!(ConditionParts);

impl Condition {
    /// A condition of the usual shape.
    #[must_use]
    pub fn new(attribute: &str, operator: &str, value: impl Into<Json>) -> Self {
        let parts = ConditionParts {
            attribute: Some(attribute.to_owned()),
            operator: Some(operator.to_owned()),
            value: Some(value.into()),
            extra: Extra::default(),
        };
        // Text, text and JSON always have a JSON form.
        Self(Json::new(&parts).unwrap_or_default())
    }

    /// The condition that is this JSON, of whatever shape.
    #[must_use]
    pub fn from_json(json: Json) -> Self {
        Self(json)
    }

    /// The exact JSON.
    #[must_use]
    pub fn json(&self) -> &Json {
        &self.0
    }

    /// The condition read in its usual shape.
    ///
    /// # Errors
    ///
    /// When it is of another shape.
    pub fn parts(&self) -> Result<ConditionParts, InvalidJson> {
        self.0.to()
    }
}
