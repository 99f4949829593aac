//! The overrides of one flag, found by entity.

use std::collections::HashMap;
use std::sync::Arc;

use flags_core::{Override, Timestamp};

use crate::context::{Attribute, EvaluationContext};
use crate::served::Served;

/// An override, its value parsed.
#[derive(Debug, Clone)]
pub(crate) struct CompiledOverride {
    record: Arc<Override>,
    value: Arc<Option<Served>>,
}

impl CompiledOverride {
    fn new(record: Arc<Override>) -> Self {
        let value = Arc::new(Served::new(record.value.as_ref()));
        Self { record, value }
    }

    pub(crate) fn enabled(&self) -> bool {
        self.record.enabled
    }

    pub(crate) fn value(&self) -> Option<&Served> {
        (*self.value).as_ref()
    }

    /// From that instant on it does not exist, as in every store.
    pub(crate) fn is_expired(&self, at: Timestamp) -> bool {
        self.record.expires_at.is_some_and(|expiry| at >= expiry)
    }
}

/// What an override is looked up by, in this order.
const ENTITIES: [(Attribute, &str); 4] = [
    (Attribute::UserId, "user"),
    (Attribute::OrganizationId, "organization"),
    (Attribute::TenantId, "tenant"),
    (Attribute::TargetingKey, "targeting_key"),
];

/// By entity type, in the order above, and id. Overrides of other entity types decide nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides([HashMap<Box<str>, CompiledOverride>; ENTITIES.len()]);

impl Overrides {
    fn of_type(&mut self, entity_type: &str) -> Option<&mut HashMap<Box<str>, CompiledOverride>> {
        let place = ENTITIES.iter().position(|(_, name)| *name == entity_type)?;
        self.0.get_mut(place)
    }

    pub(crate) fn put(&mut self, record: Arc<Override>) {
        if let Some(of_type) = self.of_type(record.entity_type.as_str()) {
            of_type.insert(record.entity_id.as_str().into(), CompiledOverride::new(record));
        }
    }

    pub(crate) fn remove(&mut self, entity_type: &str, entity_id: &str) {
        if let Some(of_type) = self.of_type(entity_type) {
            of_type.remove(entity_id);
        }
    }

    /// Each entity of the context, with its override if there is one.
    pub(crate) fn look_up<'r, 'c>(
        &'r self,
        context: &'c EvaluationContext,
    ) -> impl Iterator<Item = (&'static str, &'c str, Option<&'r CompiledOverride>)> {
        ENTITIES.iter().zip(&self.0).filter_map(move |((attribute, name), of_type)| {
            let id = context.text(*attribute)?;
            let asked = *attribute != Attribute::TargetingKey || stands_alone(id, context);
            asked.then(|| (*name, id, of_type.get(id)))
        })
    }
}

/// A targeting key is looked up if it is not empty and no other id has asked the same already.
fn stands_alone(targeting_key: &str, context: &EvaluationContext) -> bool {
    let others = [Attribute::UserId, Attribute::OrganizationId, Attribute::TenantId];
    !targeting_key.is_empty() && others.iter().all(|other| context.text(*other) != Some(targeting_key))
}
