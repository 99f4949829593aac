//! One connection to one server, over a client library. One folder a library; nothing above knows which one
//! it is.
//!
//! A library gets one address and carries commands to it. It finds no servers, follows no redirection, makes
//! no connection anew and repeats nothing: that is the business of `connection`, the same for all.

#[cfg(all(test, any(feature = "redis-rs", feature = "fred")))]
pub(crate) mod fake;
#[cfg(feature = "fred")]
mod fred;
#[cfg(any(feature = "redis-rs", feature = "fred"))]
mod pulse;
#[cfg(feature = "redis-rs")]
mod redis_rs;
#[cfg(all(test, any(feature = "redis-rs", feature = "fred")))]
pub(crate) mod tests;
#[cfg(all(test, any(feature = "redis-rs", feature = "fred")))]
mod tls_tests;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use flags_core::Result;
use tokio::sync::mpsc;

use crate::address::Address;
use crate::error::{Cause, Failure};
use crate::net::tls::Tls;
use crate::options::{Driver, Login};
use crate::reply::{Command, Reply};

/// What a connection is made to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: Address,
    /// Never with a socket.
    pub(crate) tls: Option<Tls>,
    pub(crate) login: Login,
    pub(crate) db: i64,
}

/// What a server tells unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Push {
    /// These keys changed; `None` is all of them, since a database was emptied.
    Invalidate(Option<Vec<Vec<u8>>>),
    /// Something may have been missed: more was told than could be held, or the connection ended. Then it is
    /// no longer alive.
    Lost,
}

/// What a connection is to be told unasked, and to whom: every change of a key that begins with one of the
/// prefixes.
#[derive(Debug, Clone)]
pub(crate) struct Follow {
    pub(crate) prefixes: Vec<String>,
    pub(crate) to: mpsc::UnboundedSender<Push>,
}

/// Makes connections.
///
/// Sealed by privacy, as [`Link`] is: this crate alone implements them.
#[async_trait]
pub(crate) trait Dialer: Debug + Send + Sync + 'static {
    /// Connects, and gives name, password and database. With `follow`, returns once it follows; such a
    /// connection is good for nothing but `PING`.
    ///
    /// Has no limit of its own. Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// `NotSent`, or `Refused` by a server that answers.
    async fn dial(&self, target: &Target, follow: Option<Follow>) -> Result<Box<dyn Link>, Failure>;
}

/// One connection. It ends when it is dropped, when it is killed, and with the runtime that it was made in.
#[async_trait]
pub(crate) trait Link: Debug + Send + Sync + 'static {
    /// Sends the commands one after the other, with none of another caller in between, and answers their
    /// replies in order. Without a wait in between where the library can, and never with a wait for a reply.
    /// An error of the server is a reply.
    ///
    /// No reply may be a list of three to five strings that begins with stored bytes. Where those are
    /// `message` or `subscribe`, say, `fred` takes it for news of a channel, under either protocol, and every
    /// later reply for that of the command before.
    ///
    /// Has no limit of its own. Dropping the future leaves the connection usable: late replies are discarded.
    ///
    /// # Errors
    ///
    /// The connection broke, and what the commands did is not known.
    async fn send(&self, commands: &[Command]) -> Result<Vec<Reply>, Cause>;

    /// Whether it may still carry commands.
    fn is_alive(&self) -> bool;

    /// Ends it now; whoever waits for a reply learns that the connection broke.
    fn kill(&self);
}

/// The dialer of that driver, or of the one that this build has.
///
/// # Errors
///
/// `Unsupported` where the driver is not compiled in.
pub(crate) fn dialer(driver: Option<Driver>) -> Result<Arc<dyn Dialer>> {
    match driver {
        #[cfg(feature = "redis-rs")]
        None | Some(Driver::RedisRs) => Ok(Arc::new(redis_rs::RedisRs)),
        #[cfg(feature = "fred")]
        Some(Driver::Fred) => Ok(Arc::new(fred::Fred)),
        #[cfg(all(feature = "fred", not(feature = "redis-rs")))]
        None => Ok(Arc::new(fred::Fred)),
        #[cfg(not(all(feature = "fred", feature = "redis-rs")))]
        other => {
            let wanted = match other {
                Some(Driver::RedisRs) => {
                    "the driver redis-rs is not compiled in; enable the cargo feature `redis-rs`"
                }
                Some(Driver::Fred) => "the driver fred is not compiled in; enable the cargo feature `fred`",
                None => "this build has no driver for Redis; enable the cargo feature `redis-rs` or `fred`",
            };
            Err(flags_core::Error::unsupported(wanted))
        }
    }
}
