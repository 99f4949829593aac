//! [`Flag`].

use serde::{Deserialize, Serialize};

use super::serde_with::{instant, null_as_default};
use super::{Rule, Variant, word_enum};
use crate::json::Json;
use crate::name::{FlagId, FlagKey};
use crate::open::{Extra, open_record};
use crate::time::Timestamp;

word_enum! {
    /// The type of value that a flag answers with.
    FlagType {
        /// `true` or `false`.
        Boolean = "boolean",
        /// Text.
        String = "string",
        /// A number.
        Number = "number",
        /// Any JSON.
        Json = "json",
    }
}

word_enum! {
    /// Where a flag is in its life.
    FlagStatus {
        /// Evaluated.
        Active = "active",
        /// Answers its default.
        Inactive = "inactive",
        /// Answers its default, and is kept for the record.
        Archived = "archived",
    }
}

/// A feature flag with its targeting rules and variants.
///
/// # Examples
///
/// ```
/// use flags_core::{Condition, Flag, FlagKey, Rule};
///
/// let mut flag = Flag::new(FlagKey::new("new-checkout")?);
/// flag.rules.push(Rule::new("beta countries").when(Condition::new("country", "in", ["NL", "BE"])));
/// # Ok::<(), flags_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Flag {
    /// Its id, unique and bound to the key for life (C7).
    pub id: FlagId,
    /// What code asks for; unique.
    pub key: FlagKey,
    /// For people.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// The type of its values.
    pub flag_type: FlagType,
    /// Where it is in its life.
    pub status: FlagStatus,
    /// What a boolean flag answers when nothing matches.
    pub default_enabled: bool,
    /// What another flag answers when nothing matches; `None` is JSON `null`.
    #[serde(default)]
    pub default_value: Option<Json>,
    /// For people, and for filters.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    /// Anything; an object as a rule.
    #[serde(default = "Json::empty_object")]
    pub metadata: Json,
    /// Targeting rules. The lowest priority is tried first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rules: Vec<Rule>,
    /// Variants for experiments, chosen by weight when no rule matches.
    #[serde(default, deserialize_with = "null_as_default")]
    pub variants: Vec<Variant>,
    /// When it was created.
    #[serde(default, deserialize_with = "instant")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, deserialize_with = "instant")]
    pub updated_at: Option<Timestamp>,
    /// Members that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

open_record!(Flag);

impl Flag {
    /// An active boolean flag that is off, with a new id and its key for a name.
    #[must_use]
    pub fn new(key: FlagKey) -> Self {
        Self {
            id: FlagId::new(),
            name: key.to_string(),
            key,
            description: None,
            flag_type: FlagType::Boolean,
            status: FlagStatus::Active,
            default_enabled: false,
            default_value: None,
            tags: Vec::new(),
            metadata: Json::empty_object(),
            rules: Vec::new(),
            variants: Vec::new(),
            created_at: None,
            updated_at: None,
            extra: Extra::default(),
        }
    }
}
