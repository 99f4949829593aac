//! A whole store as one JSON document, out and in.
//!
//! [`FlagStore::export`](crate::FlagStore::export) writes a [`Document`];
//! [`FlagStore::import`](crate::FlagStore::import) reads one into a store,
//! [`FlagStore::plan_import`](crate::FlagStore::plan_import) says what that would change, and
//! [`FlagStore::apply_import`](crate::FlagStore::apply_import) does what such a plan says. Records travel
//! verbatim: timestamps are kept, and the checks of [`validate`](crate::validate) do not apply, since a
//! document may carry what another writer found acceptable.

mod document;
mod export;
mod import;
mod plan;

pub use document::Document;
pub use export::Export;
pub use import::ImportReport;
pub use plan::{Difference, ImportAction, ImportMode, ImportPlan};
