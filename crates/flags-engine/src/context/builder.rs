//! [`EvaluationContextBuilder`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Attribute, EvaluationContext};
use crate::value::Value;

/// Makes an [`EvaluationContext`].
#[derive(Debug, Clone, Default)]
pub struct EvaluationContextBuilder {
    context: EvaluationContext,
    attributes: BTreeMap<Arc<str>, Value>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident = $Attribute:ident;)+) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, text: impl Into<String>) -> Self {
                self.context.set(Attribute::$Attribute, text.into());
                self
            }
        )+
    };
}

impl EvaluationContextBuilder {
    setters! {
        /// What percentages and variants are counted by: the same key gets the same answer.
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
    pub fn attribute(mut self, name: impl AsRef<str>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.as_ref().into(), value.into());
        self
    }

    /// The context.
    #[must_use]
    pub fn build(self) -> EvaluationContext {
        EvaluationContext { attributes: Arc::new(self.attributes), ..self.context }
    }
}
