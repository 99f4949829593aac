//! [`EvaluationContext`]: whom a decision is for.

mod attribute;
mod builder;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use attribute::{Attribute, Lookup};
pub use builder::EvaluationContextBuilder;

use crate::value::Value;

/// Whom, and what, a decision is for. OpenFeature's term, with the members of the origin.
///
/// It holds no instant: that is passed to [`Ruleset::evaluator`](crate::Ruleset::evaluator), so that
/// a context can be made once and shared. Cloning copies pointers.
///
/// Its JSON has a member for each of the names below, `attributes` being an object; `targetingKey` is read
/// as `targeting_key`, absent and null are the same, and unknown members are ignored.
///
/// # Examples
///
/// ```
/// use flags_engine::EvaluationContext;
///
/// let context = EvaluationContext::builder()
///     .targeting_key("user-123")
///     .country("NL")
///     .attribute("plan", "pro")
///     .attribute("seats", 12)
///     .build();
/// assert_eq!(context.targeting_key(), Some("user-123"));
/// assert_eq!(context.attribute("seats"), Some(&12.into()));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EvaluationContext {
    /// In the order of [`Attribute::STANDARD`].
    standard: [Option<Value>; Attribute::STANDARD.len()],
    attributes: Arc<BTreeMap<Arc<str>, Value>>,
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident = $Attribute:ident;)+) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(&self) -> Option<&str> {
                self.text(Attribute::$Attribute)
            }
        )+
    };
}

impl EvaluationContext {
    /// A context that knows nothing yet.
    #[must_use]
    pub fn builder() -> EvaluationContextBuilder {
        EvaluationContextBuilder::default()
    }

    getters! {
        /// What percentages and variants are counted by.
        targeting_key = TargetingKey;
        /// The user.
        user_id = UserId;
        /// The user's organization.
        organization_id = OrganizationId;
        /// The tenant.
        tenant_id = TenantId;
        /// The environment: `production`, say.
        environment = Environment;
        /// The version of the application.
        app_version = AppVersion;
        /// The client's address.
        ip_address = IpAddress;
        /// The client's name for itself.
        user_agent = UserAgent;
        /// The country, as a code.
        country = Country;
    }

    /// A custom attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }

    /// The custom attributes, in order of their names.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.attributes.iter().map(|(name, value)| (&**name, value))
    }

    /// This context with what `other` knows, which takes precedence. An empty text does not.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        for (mine, others) in merged.standard.iter_mut().zip(&other.standard) {
            if others.as_ref().and_then(Value::as_str).is_some_and(|text| !text.is_empty()) {
                mine.clone_from(others);
            }
        }
        if merged.attributes.is_empty() {
            merged.attributes = Arc::clone(&other.attributes);
        } else if !other.attributes.is_empty() {
            let others = other.attributes.iter().map(|(name, value)| (Arc::clone(name), value.clone()));
            Arc::make_mut(&mut merged.attributes).extend(others);
        }
        merged
    }

    /// This context with another targeting key.
    #[must_use]
    pub fn with_targeting_key(mut self, targeting_key: impl Into<String>) -> Self {
        self.set(Attribute::TargetingKey, targeting_key.into());
        self
    }

    pub(crate) fn text(&self, attribute: Attribute) -> Option<&str> {
        self.standard.get(attribute as usize)?.as_ref()?.as_str()
    }

    fn set(&mut self, attribute: Attribute, text: String) {
        if let Some(place) = self.standard.get_mut(attribute as usize) {
            *place = Some(text.into());
        }
    }
}
