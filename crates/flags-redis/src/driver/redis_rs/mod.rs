//! The driver over the `redis` crate.
//!
//! The crate multiplexes commands over a stream that we open ourselves: its own way of connecting leaves the
//! TLS provider to chance, and its reconnection waits past every deadline.

mod convert;

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
use crate::reply::{Command, Reply, ServerError};

#[derive(Debug)]
pub(super) struct RedisRs;

#[async_trait]
impl Dialer for RedisRs {
    async fn dial(&self, target: &Target, follow: Option<Follow>) -> Result<Box<dyn Link>, Failure> {
        let failed = |source: BoxError| {
            let to = target.address.to_string();
            Failure::NotSent(Cause::Connect { to, source: Arc::new(source) })
        };
        let stream = stream::open(target).await.map_err(|error| failed(error.into()))?;
        // Our own timeouts tell whether a command was handed over, which the crate's does not.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(1024);
        let config = match &follow {
            Some(follow) => config.set_push_sender(forward(follow.to.clone())),
            None => config,
        };
        let (connection, driving) =
            MultiplexedConnection::new_with_config(&settings(target, follow.is_some()), stream, config)
                .await
                .map_err(|error| match convert::server_error(&error) {
                    Some(refusal) => Failure::Refused(refusal),
                    None => failed(error.into()),
                })?;
        let pulse = Pulse::of(driving, Ends(follow.as_ref().map(|follow| follow.to.clone())));
        let link = Multiplexed { connection, pulse };
        if follow.is_none() {
            link.introduce(target).await.map_err(|failure| match failure {
                Failure::NotSent(cause) => failed(cause.into()),
                other => other,
            })?;
        }
        if let Some(follow) = follow {
            let tracking = Command::new("CLIENT").args(["TRACKING", "ON", "BCAST"]);
            let tracking = follow
                .prefixes
                .iter()
                .fold(tracking, |command, prefix| command.arg("PREFIX").arg(prefix.as_str()));
            if let Some(refusal) = link.refusal(tracking).await? {
                return Err(Failure::Refused(refusal));
            }
        }
        Ok(Box::new(link))
    }
}

fn settings(target: &Target, follows: bool) -> RedisConnectionInfo {
    let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    if !follows {
        // The crate takes every refusal of a password for a wrong one.
        return settings;
    }
    // Only then are pushes told from replies.
    let mut settings = settings.set_db(target.db).set_protocol(ProtocolVersion::RESP3);
    if let Some(username) = &target.login.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &target.login.password {
        settings = settings.set_password(password.reveal());
    }
    settings
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

impl Multiplexed {
    /// Gives name, password and database, and finds out whether anybody is there: a kernel accepts for a
    /// server that is frozen.
    async fn introduce(&self, target: &Target) -> Result<(), Failure> {
        // A server that turns us away says why once, and hangs up: nothing is sent behind the first command.
        if let Some(password) = &target.login.password {
            let auth = Command::new("AUTH").args(target.login.username.clone()).arg(password.reveal());
            if let Some(refusal) = self.refusal(auth).await? {
                return Err(Failure::Refused(refusal));
            }
        } else if let Some(refusal) = self.refusal(Command::new("PING")).await?
            && refusal.turns_away()
        {
            // Whatever else is answered, a user who may not ask for instance, somebody is there.
            return Err(Failure::Refused(refusal));
        }
        if target.db != 0
            && let Some(refusal) = self.refusal(Command::new("SELECT").arg(target.db.to_string())).await?
        {
            return Err(Failure::Refused(refusal));
        }
        Ok(())
    }

    /// What the server says against a command while connecting.
    async fn refusal(&self, command: Command) -> Result<Option<ServerError>, Failure> {
        let replies = self.send(&[command]).await.map_err(Failure::NotSent)?;
        Ok(replies.into_iter().find_map(|reply| match reply {
            Reply::Error(refusal) => Some(refusal),
            _ => None,
        }))
    }
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
