//! The driver over the `redis` crate.
//!
//! The crate multiplexes commands over a stream that we open ourselves: its own way of connecting leaves the
//! TLS provider to chance, and its reconnection waits past every deadline. So are the first words on it: the
//! crate takes every refusal of a password for a wrong one, and what a server says before it is asked for
//! nothing.

mod convert;
mod greeting;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flags_core::BoxError;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo};
use tokio::sync::mpsc;

use super::pulse::Pulse;
use super::{Dialer, Follow, Link, Push, Target};
use crate::error::{Cause, Failure};
use crate::net::stream;
use crate::reply::{Command, Reply};

#[derive(Debug)]
pub(super) struct RedisRs;

#[async_trait]
impl Dialer for RedisRs {
    async fn dial(&self, target: &Target, follow: Option<Follow>) -> Result<Box<dyn Link>, Failure> {
        let failed = |source: BoxError| {
            let to = target.address.to_string();
            Failure::NotSent(Cause::Connect { to, source: Arc::new(source) })
        };
        let mut stream = stream::open(target).await.map_err(|error| failed(error.into()))?;
        if let Some(refusal) =
            greeting::refused(&mut stream, target).await.map_err(|error| failed(error.into()))?
        {
            return Err(Failure::Refused(refusal));
        }
        // Our own timeouts tell whether a command was handed over, which the crate's does not.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(1024);
        let config = match &follow {
            Some(follow) => config.set_push_sender(forward(follow.to.clone())),
            None => config,
        };
        let (connection, driving) =
            MultiplexedConnection::new_with_config(&settings(follow.is_some()), stream, config)
                .await
                .map_err(|error| match convert::server_error(&error) {
                    Some(refusal) => Failure::Refused(refusal),
                    None => failed(error.into()),
                })?;
        let pulse = Pulse::of(driving, Ends(follow.as_ref().map(|follow| follow.to.clone())));
        let link = Multiplexed { connection, pulse };
        if let Some(follow) = follow {
            let tracking = Command::new("CLIENT").args(["TRACKING", "ON", "BCAST"]);
            let tracking = follow
                .prefixes
                .iter()
                .fold(tracking, |command, prefix| command.arg("PREFIX").arg(prefix.as_str()));
            let replies = link.send(&[tracking]).await.map_err(Failure::NotSent)?;
            if let Some(Reply::Error(refusal)) = replies.into_iter().next() {
                return Err(Failure::Refused(refusal));
            }
        }
        Ok(Box::new(link))
    }
}

fn settings(follows: bool) -> RedisConnectionInfo {
    let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    // Only then are pushes told from replies.
    if follows { settings.set_protocol(ProtocolVersion::RESP3) } else { settings }
}

fn forward(to: mpsc::UnboundedSender<Push>) -> impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static {
    move |info| {
        // Nobody listens any more: then nobody misses it.
        if let Some(keys) = convert::invalidated(info) {
            let _ = to.send(Push::Invalidate(keys));
        }
        Ok(())
    }
}

/// Tells the end of a connection, after everything that it told before.
struct Ends(Option<mpsc::UnboundedSender<Push>>);

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(to) = &self.0 {
            let _ = to.send(Push::Lost);
        }
    }
}

struct Multiplexed {
    connection: MultiplexedConnection,
    pulse: Pulse,
}

#[async_trait]
impl Link for Multiplexed {
    async fn send(&self, commands: &[Command]) -> Result<Vec<Reply>, Cause> {
        convert::send(self.connection.clone(), commands).await.map_err(Cause::broken)
    }

    fn is_alive(&self) -> bool {
        self.pulse.is_alive()
    }

    fn kill(&self) {
        self.pulse.kill();
    }
}

impl fmt::Debug for Multiplexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multiplexed").field("pulse", &self.pulse).finish_non_exhaustive()
    }
}
