//! x
mod backoff;
mod builder;
mod client;
mod counts;
mod details;
mod diagnostics;
mod events;
mod follow;
mod freshness;
mod hook;
mod on_demand;
mod replica;
mod save;
mod shared;
mod snapshot;
mod state;
#[cfg(feature = "tracing")]
mod trace;
mod view;

pub use builder::{ClientBuilder, Overrides, Startup};
pub use client::Client;
pub use counts::{Counts, ReasonCounts};
pub use details::{EvaluationDetails, FlagInfo, RuleInfo};
pub use diagnostics::Diagnostics;
pub use events::{ChangedFlags, ClientEvent, Events};
pub use freshness::{Freshness, StaleCause};
pub use hook::{Hook, HookContext, TypedValue};
pub use snapshot::Snapshot;
