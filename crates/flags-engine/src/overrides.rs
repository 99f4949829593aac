//! The overrides of one flag, found by entity.

use std::sync::Arc;

use flags_core::{Override, Timestamp};

use crate::context::{Attribute, EvaluationContext};
use crate::hash_trie::{HashTrie, Keyed};
use crate::served::Served;

/// An override, its value parsed. There may be a million of them, so that it is two pointers.
#[derive(Debug, Clone)]
pub(crate) struct CompiledOverride {
    record: Arc<Override>,
    value: Option<Arc<Served>>,
}

impl Keyed for CompiledOverride {
    type Key = str;

    fn key(&self) -> &str {
        self.record.entity_id.as_str()
    }
}

impl CompiledOverride {
    fn new(record: Arc<Override>) -> Self {
        let value = Served::new(record.value.as_ref()).map(Arc::new);
        Self { record, value }
    }

    pub(crate) fn enabled(&self) -> bool {
        self.record.enabled
    }

    pub(crate) fn value(&self) -> Option<&Served> {
        self.value.as_deref()
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
pub(crate) struct Overrides([HashTrie<CompiledOverride>; ENTITIES.len()]);

impl Overrides {
    fn of_type(&mut self, entity_type: &str) -> Option<&mut HashTrie<CompiledOverride>> {
        let place = ENTITIES.iter().position(|(_, name)| *name == entity_type)?;
        self.0.get_mut(place)
    }

    pub(crate) fn put(&mut self, record: Arc<Override>) {
        if let Some(of_type) = self.of_type(record.entity_type.as_str()) {
            of_type.insert(CompiledOverride::new(record));
        }
    }

    pub(crate) fn remove(&mut self, entity_type: &str, entity_id: &str) {
        if let Some(of_type) = self.of_type(entity_type) {
            of_type.remove(entity_id);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(HashTrie::is_empty)
    }

    /// Each entity of the context, with its override if there is one.
    pub(crate) fn look_up<'r, 'c>(
        these: Option<&'r Self>,
        context: &'c EvaluationContext,
    ) -> impl Iterator<Item = (&'static str, &'c str, Option<&'r CompiledOverride>)> {
        ENTITIES.iter().enumerate().filter_map(move |(place, (attribute, name))| {
            let id = context.text(*attribute)?;
            let asked = *attribute != Attribute::TargetingKey || stands_alone(id, context);
            let of_type = these.and_then(|these| these.0.get(place)).filter(|of_type| !of_type.is_empty());
            asked.then(|| (*name, id, of_type.and_then(|of_type| of_type.get(id))))
        })
    }
}

/// A targeting key is looked up if it is not empty and no other id has asked the same already.
fn stands_alone(targeting_key: &str, context: &EvaluationContext) -> bool {
    let others = [Attribute::UserId, Attribute::OrganizationId, Attribute::TenantId];
    !targeting_key.is_empty() && others.iter().all(|other| context.text(*other) != Some(targeting_key))
}
