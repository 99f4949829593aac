//! The validated names and ids that records are known by.
//!
//! Names are shared text ([`Arc<str>`](std::sync::Arc)), cheap to clone; ids are UUIDs. Each is a
//! type of its own, so that a flag's key is never passed where its id is meant.

mod id;
mod text;

pub use id::{
    FlagId, OverrideId, RolloutPhaseId, RuleId, ScheduledChangeId, SegmentId, TimeScheduleId, VariantId,
};
pub use text::{EntityId, EntityType, FlagKey, InvalidName, SegmentName};
