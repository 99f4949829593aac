//! A context as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Attribute, EvaluationContext};
use crate::value::Value;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Wire {
    targeting_key: Option<String>,
    /// OpenFeature's spelling.
    #[serde(rename = "targetingKey")]
    targeting_key_too: Option<String>,
    user_id: Option<String>,
    organization_id: Option<String>,
    tenant_id: Option<String>,
    environment: Option<String>,
    app_version: Option<String>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    country: Option<String>,
    attributes: Option<BTreeMap<String, Value>>,
}

/// An object, and nothing else: what is derived would take a list for the members in their order.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Wire;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an evaluation context, which is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Wire, A::Error> {
        Wire::deserialize(MapAccessDeserializer::new(members))
    }
}

impl<'de> Deserialize<'de> for EvaluationContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = deserializer.deserialize_map(Members)?;
        let mut context = Self { attributes: Arc::new(shared(wire.attributes)), ..Self::default() };
        for (attribute, text) in [
            (Attribute::TargetingKey, wire.targeting_key.or(wire.targeting_key_too)),
            (Attribute::UserId, wire.user_id),
            (Attribute::OrganizationId, wire.organization_id),
            (Attribute::TenantId, wire.tenant_id),
            (Attribute::Environment, wire.environment),
            (Attribute::AppVersion, wire.app_version),
            (Attribute::IpAddress, wire.ip_address),
            (Attribute::UserAgent, wire.user_agent),
            (Attribute::Country, wire.country),
        ] {
            if let Some(text) = text {
                context.set(attribute, text);
            }
        }
        Ok(context)
    }
}

/// With `targeting_key` in this spelling, and without what is absent.
impl Serialize for EvaluationContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (attribute, name) in Attribute::STANDARD {
            if let Some(text) = self.text(attribute) {
                map.serialize_entry(name, text)?;
            }
        }
        if !self.attributes.is_empty() {
            map.serialize_entry("attributes", &Shared(&self.attributes))?;
        }
        map.end()
    }
}

/// A map whose keys are shared text, which serde serializes with a feature of its own only.
struct Shared<'a>(&'a BTreeMap<Arc<str>, Value>);

impl Serialize for Shared<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, value)))
    }
}

fn shared(attributes: Option<BTreeMap<String, Value>>) -> BTreeMap<Arc<str>, Value> {
    attributes.into_iter().flatten().map(|(name, value)| (name.into(), value)).collect()
}
