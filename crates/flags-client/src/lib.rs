//! What an application holds: feature flags answered from memory, kept as the store has them.
//!
//! A [`Client`] loads a store of any backend once, follows its changes, and evaluates on what it
//! knows: synchronously, without I/O, and without a lock where overrides are resident. When the
//! store goes away it serves what it knew last, and says so.
//!
//! | item | what |
//! |---|---|
//! | [`Client`], [`ClientBuilder`] | the handle, and how it is configured and started |
//! | [`Startup`], [`Overrides`] | what starting waits for; whether overrides are resident or fetched on demand |
//! | [`Snapshot`] | the flags at one moment, for evaluations that must agree with each other |
//! | [`EvaluationDetails`] | a value, and how it came about |
//! | [`Freshness`], [`Diagnostics`] | how far it can be trusted, and what is in the way |
//! | [`Events`], [`ClientEvent`] | what listeners are told |
//! | [`Hook`] | code of the application around every evaluation |
//! | [`Counts`] | how often each flag was evaluated, by reason |
//! | [`Scheduler`] | runs scheduled changes and rollout phases when they are due, each exactly once |
//!
//! # Traces
//!
//! With the cargo feature `tracing` each evaluation is an event `feature_flag.evaluation` at trace
//! level, target `flags_client::evaluation`, with the attributes of OpenTelemetry's semantic
//! conventions for feature flags. It is an event and no span, since the conventions say so, and
//! since it takes less time than a span does. Its value is among them where it has no variant
//! (`ClientBuilder::traced_values` says otherwise): a boolean, a number or a text as what it is,
//! anything else as JSON.
//!
//! What takes time are spans at debug level, target `flags_client`: `feature_flag.load` and
//! `feature_flag.reload`, when everything is read, `feature_flag.fetch`, when what changed is,
//! `feature_flag.prepare`, within the span of whoever prepares a context, and `feature_flag.save`.
//! Where nobody listens all of it costs next to nothing.
//!
//! # Clocks
//!
//! What a client knows it judges by its own clock, and the scheduler executes what is due by its
//! own; the store judges by the store's. So on a machine whose clock is an hour ahead overrides
//! end, windows open and changes are applied an hour early, for as long as that clock is wrong; a
//! change that was applied stays applied, and an override that ended counts again within seconds.
//! `health` of a store with a clock warns where the two differ by more than a second.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use flags_client::{Client, ClientEvent};
//! use flags_core::{Condition, Flag, FlagKey, FlagStore, Rule, StorageHandle};
//! use flags_engine::{EvaluationContext, Reason};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let storage: StorageHandle = Arc::new(flags_memory::MemoryStorage::new());
//! let client = Client::builder(storage.clone()).start().await?;
//! let ann = EvaluationContext::builder().targeting_key("ann").country("NL").build();
//! assert!(!client.bool_value("new-checkout", false, &ann));
//!
//! // Somebody, somewhere, creates the flag.
//! let mut events = client.subscribe();
//! let mut flag = Flag::new(FlagKey::new("new-checkout")?);
//! flag.rules.push(Rule::new("benelux").when(Condition::new("country", "in", ["NL", "BE", "LU"])));
//! FlagStore::new(storage).create_flag(flag).await?;
//!
//! while !matches!(events.next().await, Some(ClientEvent::FlagsChanged(_))) {}
//! let details = client.bool_details("new-checkout", false, &ann);
//! assert!(details.value);
//! assert_eq!((details.reason, details.variant.as_deref()), (Reason::TargetingMatch, Some("benelux")));
//! # Ok::<(), flags_core::Error>(()) }).unwrap();
//! ```

mod asked;
mod backoff;
mod builder;
mod client;
mod counts;
mod details;
mod diagnostics;
mod emptied;
mod events;
mod follow;
mod freshness;
mod hook;
mod link;
mod on_demand;
mod replica;
mod save;
pub mod scheduler;
mod shared;
mod snapshot;
mod stage;
mod state;
mod timer;
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
pub use scheduler::Scheduler;
pub use snapshot::Snapshot;
#[cfg(feature = "tracing")]
pub use trace::TracedValues;
