#![doc = include_str!("../README.md")]

mod connect;
mod inspect;

pub use connect::connect;
#[cfg(feature = "client")]
pub use flags_client as client;
#[cfg(feature = "client")]
pub use flags_client::{Client, Scheduler};
pub use flags_core::*;
pub use flags_engine as engine;
pub use flags_engine::EvaluationContext;
#[cfg(feature = "file")]
pub use flags_file::{FileBuilder, FileStorage};
#[cfg(feature = "memory")]
pub use flags_memory::MemoryStorage;
#[cfg(any(feature = "redis", feature = "fred"))]
pub use flags_redis::{Driver, Foreign, RedisBuilder, RedisStorage};
pub use inspect::inspect;
