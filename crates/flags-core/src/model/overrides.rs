//! [`Override`].

use serde::{Deserialize, Serialize};

use super::serde_with::instant;
use crate::json::Json;
use crate::name::{EntityId, EntityType, FlagId, OverrideId};
use crate::open::{Extra, open_record};
use crate::time::Timestamp;

/// The answer of a flag for one entity, before any rule. Lives and dies with its flag (C6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Override {
    /// Its id. The override is addressed by flag, entity type and entity id.
    pub id: OverrideId,
    /// The flag it belongs to.
    pub flag_id: FlagId,
    /// `user`, `organization`, `tenant`, `targeting_key`, or one of your own.
    pub entity_type: EntityType,
    /// Which entity of that type.
    pub entity_id: EntityId,
    /// What a boolean flag answers.
    pub enabled: bool,
    /// What another flag answers; `None` is JSON `null`.
    #[serde(default)]
    pub value: Option<Json>,
    /// From this instant on it does not exist (C8).
    #[serde(default, deserialize_with = "instant")]
    pub expires_at: Option<Timestamp>,
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

open_record!(Override);

impl Override {
    /// An override that never expires, with a new id.
    #[must_use]
    pub fn new(flag_id: FlagId, entity_type: EntityType, entity_id: EntityId, enabled: bool) -> Self {
        Self {
            id: OverrideId::new(),
            flag_id,
            entity_type,
            entity_id,
            enabled,
            value: None,
            expires_at: None,
            created_at: None,
            updated_at: None,
            extra: Extra::default(),
        }
    }
}
