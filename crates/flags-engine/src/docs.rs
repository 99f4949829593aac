//! What needs more words than an item's documentation has room for.

/// Where [`Semantics::Compat`](crate::Semantics::Compat) differs from the origin, and why.
#[doc = include_str!("../docs/deviations.md")]
pub mod deviations {}

/// What [`Semantics::Strict`](crate::Semantics::Strict) does otherwise.
#[doc = include_str!("../docs/strict.md")]
pub mod strict {}
