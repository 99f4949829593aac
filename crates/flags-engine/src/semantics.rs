//! [`Semantics`].

use serde::{Deserialize, Serialize};

/// What conditions, schedules and variants mean. Chosen when a [`Ruleset`](crate::Ruleset) is built, and
/// never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Semantics {
    /// The origin's answers, its odd ones included, so that a Python and a Rust service agree about a user.
    /// The few [deviations](crate::docs::deviations) are listed.
    #[default]
    Compat,
    /// Fails closed: what is unknown, missing or of another type does not match. See
    /// [`docs::strict`](crate::docs::strict).
    Strict,
}
