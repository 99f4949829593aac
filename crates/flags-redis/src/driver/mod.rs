//! Commands over a client library. One folder a driver; nothing above knows which one it is.

#[cfg(feature = "redis-rs")]
mod redis_rs;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use flags_core::Result;

use crate::error::Failure;
use crate::options::Options;
use crate::reply::{Command, Reply};

/// What may be done about a call whose connection breaks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access<'a> {
    /// It may be repeated on another connection.
    Read,
    /// It must not be repeated. The flag is up from when a connection has it until it is answered.
    Write(&'a AtomicBool),
}

/// A connection to one server, made anew when it breaks.
///
/// Sealed by privacy: backends of this crate alone implement it.
#[async_trait]
pub(crate) trait Driver: Debug + Send + Sync + 'static {
    /// Sends the commands as one write, and answers their replies in order; there is at least one command.
    ///
    /// Dropping the future leaves the connection usable: late replies are discarded.
    async fn send(&self, commands: &[Command], access: Access<'_>) -> Result<Vec<Reply>, Failure>;

    /// Gives the connection up, for good.
    fn close(&self);
}

/// The driver that this build has.
pub(crate) fn new(options: &Options) -> Result<Arc<dyn Driver>> {
    #[cfg(feature = "redis-rs")]
    return Ok(Arc::new(redis_rs::RedisRs::new(options)?));
    #[cfg(not(feature = "redis-rs"))]
    {
        let _ = options;
        Err(flags_core::Error::unsupported(
            "this build has no driver for Redis; enable the cargo feature `redis-rs`",
        ))
    }
}
