//! Feature-flag records, their wire form, the storage contract, and the typed API over it.
//!
//! This crate knows no backend, no async runtime and no client library. It holds:
//!
//! | module | what |
//! |---|---|
//! | [`model`] | the records: flags with their rules and variants, overrides, schedules, phases, segments |
//! | [`name`] | the validated names and ids that records are known by |
//! | [`json`], [`time`] | exact JSON text, instants and times of day: what records are made of |
//! | [`storage`] | the [`Storage`] trait, whose documentation **is** the contract (clauses C1 to C15) |
//! | [`store`] | [`FlagStore`], the typed API, written once over any storage |
//! | [`transfer`] | export and import of a whole store as one JSON document |
//! | [`validate`] | what the typed API checks before it writes |
//! | [`clock`], [`watch`] | the time source, and the queue that backends build their watches from |
//!
//! Applications usually depend on the facade `feature-flags`, backend authors on this crate and,
//! for their tests, on `flags-conformance`.

pub mod clock;
mod error;
pub mod json;
pub mod model;
pub mod name;
mod open;
mod record;
pub mod storage;
pub mod store;
pub mod time;
pub mod transfer;
pub mod validate;
pub mod watch;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{BoxError, Error, ErrorKind, Result};
pub use json::Json;
pub use model::{
    ChangeType, Condition, ConditionParts, Flag, FlagStatus, FlagType, Override, RecurrenceType,
    RolloutPhase, Rule, ScheduledChange, Segment, TimeSchedule, Variant,
};
pub use name::{
    EntityId, EntityType, FlagId, FlagKey, InvalidName, OverrideId, RolloutPhaseId, RuleId,
    ScheduledChangeId, SegmentId, SegmentName, TimeScheduleId, VariantId,
};
pub use open::Extra;
pub use record::{Alias, Key, Kind, Model, Record};
pub use storage::{Storage, StorageHandle};
pub use store::{FlagStore, Listing, Versioned};
pub use time::{TimeOfDay, Timestamp};
