//! [`Entity`]: whom overrides are for.

use flags_core::{EntityId, EntityType, FlagId, Key};
use flags_engine::EvaluationContext;

/// Whom an override is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entity {
    entity_type: EntityType,
    entity_id: EntityId,
}

impl Entity {
    pub(crate) fn new(entity_type: EntityType, entity_id: EntityId) -> Self {
        Self { entity_type, entity_id }
    }

    pub(crate) fn is(&self, (entity_type, entity_id): (&str, &str)) -> bool {
        self.entity_type.as_str() == entity_type && self.entity_id.as_str() == entity_id
    }

    /// The key of its override of that flag.
    pub(super) fn key(&self, flag: FlagId) -> Key {
        Key::Override(flag, self.entity_type.clone(), self.entity_id.clone())
    }
}

/// Whom the overrides that can decide for a context may be for.
pub(crate) fn entities(context: &EvaluationContext) -> impl Iterator<Item = (&'static str, &str)> {
    let ids = [
        ("user", context.user_id()),
        ("organization", context.organization_id()),
        ("tenant", context.tenant_id()),
        ("targeting_key", context.targeting_key()),
    ];
    let named = ids.into_iter().filter_map(|(entity_type, id)| Some((entity_type, id?)));
    // The engine does not look up a targeting key that is empty, or asks what another id has asked.
    let repeats = move |id: &str| ids.iter().take(3).any(|(_, other)| *other == Some(id));
    named.filter(move |(entity_type, id)| *entity_type != "targeting_key" || !(id.is_empty() || repeats(id)))
}

/// The same, to be looked up. What cannot be the name of an entity has no override.
pub(super) fn lookups(context: &EvaluationContext) -> Vec<Entity> {
    let named = entities(context).filter_map(|(entity_type, id)| {
        Some(Entity::new(EntityType::new(entity_type).ok()?, EntityId::new(id).ok()?))
    });
    named.collect()
}
