//! Where the attribute that a condition names is found.

use flags_core::Timestamp;

use super::EvaluationContext;
use crate::value::View;

/// The members of a context that conditions can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    TargetingKey,
    UserId,
    OrganizationId,
    TenantId,
    Environment,
    AppVersion,
    IpAddress,
    UserAgent,
    Country,
}

impl Attribute {
    /// With their names, in the order of their numbers.
    pub(crate) const STANDARD: [(Self, &'static str); 9] = [
        (Self::TargetingKey, "targeting_key"),
        (Self::UserId, "user_id"),
        (Self::OrganizationId, "organization_id"),
        (Self::TenantId, "tenant_id"),
        (Self::Environment, "environment"),
        (Self::AppVersion, "app_version"),
        (Self::IpAddress, "ip_address"),
        (Self::UserAgent, "user_agent"),
        (Self::Country, "country"),
    ];
}

/// How to look an attribute up, decided when the condition is compiled.
#[derive(Debug)]
pub(crate) struct Lookup {
    name: Box<str>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Standard(Attribute),
    /// `timestamp`: the instant of evaluation, which is always there.
    Instant,
    Custom,
}

impl Lookup {
    pub(crate) fn new(name: &str) -> Self {
        let standard = Attribute::STANDARD.iter().find(|(_, standard)| *standard == name);
        let place = match standard {
            Some((attribute, _)) => Place::Standard(*attribute),
            None if name == "timestamp" => Place::Instant,
            None => Place::Custom,
        };
        Self { name: name.into(), place }
    }

    /// The attribute's value; a standard one that is absent is looked for among the custom ones.
    pub(crate) fn find<'c>(&self, context: &'c EvaluationContext, at: Timestamp) -> View<'c> {
        match self.place {
            Place::Instant => return View::Instant(at),
            Place::Standard(attribute) => {
                if let Some(text) = context.text(attribute) {
                    return View::Str(text);
                }
            }
            Place::Custom => {}
        }
        context.attributes.get(&*self.name).map_or(View::Null, |value| value.view())
    }
}
