//! [`Variant`].

use serde::{Deserialize, Serialize};

use super::serde_with::whole;
use crate::json::Json;
use crate::name::VariantId;
use crate::open::{Extra, open_record};

/// One arm of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Variant {
    /// Its id within the flag.
    pub id: VariantId,
    /// What a decision reports; unique in the flag.
    pub key: String,
    /// For people.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// What the flag answers; of a boolean flag, an object whose `enabled` is the answer.
    pub value: Json,
    /// Its share of the targeting keys, relative to the sum of the weights; not negative.
    #[serde(deserialize_with = "whole")]
    pub weight: i64,
    /// Members that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

open_record!(Variant);

impl Variant {
    /// A variant of that weight, with a new id and its key for a name.
    #[must_use]
    pub fn new(key: impl Into<String>, value: Json, weight: i64) -> Self {
        let key = key.into();
        Self {
            id: VariantId::new(),
            name: key.clone(),
            key,
            description: None,
            value,
            weight,
            extra: Extra::default(),
        }
    }
}
