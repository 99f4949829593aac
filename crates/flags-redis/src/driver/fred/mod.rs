//! The driver over `fred`.
//!
//! A client of it is used for one connection and thrown away with it: with a policy it would connect anew and
//! repeat commands, past every deadline, and without one it leaves whoever asks after the end waiting for
//! ever.

mod convert;
mod follow;
mod queue;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use flags_core::BoxError;
use fred::clients::Client;
use fred::interfaces::{AuthInterface as _, ClientLike as _, TrackingInterface as _};
use fred::socket2::TcpKeepalive;
use fred::types::RespVersion;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, Server, ServerConfig, TcpConfig, TlsConnector,
};
use futures_util::poll;

use super::pulse::{Owned, Pulse};
use super::{Dialer, Follow, Link, Target};
use crate::address::Address;
use crate::error::{Cause, Failure};
use crate::net::KEEPALIVE;
use crate::options::Secret;
use crate::reply::{Command, Reply};
use queue::Queue;

#[derive(Debug)]
pub(super) struct Fred;

#[async_trait]
impl Dialer for Fred {
    async fn dial(&self, target: &Target, follow: Option<Follow>) -> Result<Box<dyn Link>, Failure> {
        if target.login.password.is_some() {
            return Self::dial_by(RespVersion::RESP2, target, follow).await;
        }
        // Who gives no password greets by `HELLO`, which everybody may at any time, and which this library
        // does for RESP3 alone. Else it asks by `PING`, which a user may be refused, as everybody is while
        // the server cannot write to its disk.
        match Self::dial_by(RespVersion::RESP3, target, follow.clone()).await {
            Err(Failure::Refused(refusal)) if refusal.is_unknown_command() => {
                Self::dial_by(RespVersion::RESP2, target, follow).await
            }
            outcome => outcome,
        }
    }
}

impl Fred {
    /// What connecting begins with. What follows is RESP2 in any case.
    async fn dial_by(
        greeting: RespVersion,
        target: &Target,
        follow: Option<Follow>,
    ) -> Result<Box<dyn Link>, Failure> {
        let failed = |source: BoxError| {
            let to = target.address.to_string();
            Failure::NotSent(Cause::Connect { to, source: Arc::new(source) })
        };
        let performance = performance(follow.is_some());
        let config = Config { version: greeting.clone(), ..config(target) };
        let client = Client::new(config, Some(performance), Some(connection()), None);
        let told = follow.is_some().then(|| client.invalidation_rx());
        let pulse = {
            // Asked for the outcome before there is one, since it is told once.
            let mut connected = Box::pin(client.wait_for_connect());
            let _ = poll!(&mut connected);
            let mut router = Owned(client.connect());
            connected.await.map_err(|error| match convert::server_error(&error) {
                Some(refusal) => Failure::Refused(refusal),
                None => failed(error.into()),
            })?;
            // Whatever it ends with, whoever waits for a reply learns it.
            let driving = async move { drop((&mut router.0).await) };
            Pulse::of(driving, ())
        };
        let link = Line { queue: Queue::new(client), pulse, following: None };
        if greeting == RespVersion::RESP3 {
            link.settle_for_resp2().await?;
        }
        if target.db != 0 {
            link.ask(Command::new("SELECT").arg(target.db.to_string())).await?;
        }
        match (follow, told) {
            (Some(follow), Some(told)) => Ok(Box::new(link.following(&follow, told).await?)),
            _ => Ok(Box::new(link)),
        }
    }
}

fn config(target: &Target) -> Config {
    let server = match &target.address {
        Address::Tcp { host, port } => {
            ServerConfig::Centralized { server: Server::new(host.as_str(), *port) }
        }
        Address::Unix(path) => ServerConfig::Unix { path: path.clone() },
    };
    let tls = target.tls.as_ref().map(|tls| {
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(tls.config()));
        TlsConnector::Rustls(connector).into()
    });
    Config {
        server,
        tls,
        username: target.login.username.clone(),
        password: target.login.password.as_ref().map(|password| Secret::reveal(password).to_owned()),
        ..Config::default()
    }
}

fn connection() -> ConnectionConfig {
    ConnectionConfig {
        // One attempt is one execution at the most.
        max_command_attempts: 1,
        max_redirections: 0,
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE)),
            #[cfg(target_os = "linux")]
            user_timeout: Some(crate::net::USER_TIMEOUT),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    }
}

fn performance(follows: bool) -> PerformanceConfig {
    let plain = PerformanceConfig::default();
    // What does not fit is told as lost; each client has eight such channels.
    let capacity = if follows { follow::HELD } else { plain.broadcast_channel_capacity };
    // What was handed over together is written together, however much it is.
    PerformanceConfig { broadcast_channel_capacity: capacity, max_feed_count: u64::MAX, ..plain }
}

/// One client of the library, with the task that drives its connection.
struct Line {
    queue: Queue,
    pulse: Pulse,
    /// The task that passes on what the server tells.
    following: Option<Pulse>,
}

#[async_trait]
impl Link for Line {
    async fn send(&self, commands: &[Command]) -> Result<Vec<Reply>, Cause> {
        tokio::select! {
            biased;
            answer = self.queue.send(commands) => answer,
            // The library answers nothing that comes after the end.
            () = self.pulse.ended() => Err(Cause::broken("the connection ended")),
        }
    }

    fn is_alive(&self) -> bool {
        self.pulse.is_alive()
    }

    fn kill(&self) {
        self.pulse.kill();
    }
}

impl Line {
    async fn settle_for_resp2(&self) -> Result<(), Failure> {
        let client = self.queue.client();
        let answered = tokio::select! {
            biased;
            answer = client.hello(RespVersion::RESP2, None, None) => answer.map_err(|error| {
                match convert::server_error(&error) {
                    Some(refusal) => Failure::Refused(refusal),
                    None => Failure::NotSent(Cause::broken(error)),
                }
            }),
            () = self.pulse.ended() => Err(Failure::NotSent(Cause::broken("the connection ended"))),
        };
        answered.map(drop)
    }

    /// One command while connecting.
    async fn ask(&self, command: Command) -> Result<Reply, Failure> {
        let reply = self.send(&[command]).await.map_err(Failure::NotSent)?.into_iter().next();
        match reply.unwrap_or(Reply::Nil) {
            Reply::Error(refusal) => Err(Failure::Refused(refusal)),
            reply => Ok(reply),
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("pulse", &self.pulse).finish_non_exhaustive()
    }
}
