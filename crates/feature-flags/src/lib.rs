#![doc = include_str!("../README.md")]

mod connect;
mod inspect;

pub use connect::connect;
pub use flags_core::*;
pub use flags_engine as engine;
#[cfg(feature = "file")]
pub use flags_file::{FileBuilder, FileStorage};
#[cfg(feature = "memory")]
pub use flags_memory::MemoryStorage;
#[cfg(any(feature = "redis", feature = "fred"))]
pub use flags_redis::{Driver, Foreign, RedisBuilder, RedisStorage};
pub use inspect::inspect;
