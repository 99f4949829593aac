//! [`Link`]: one connection, from dialing to its end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use flags_core::Result;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};

use super::{convert, stream, tls};
use crate::error::{Cause, Failure};
use crate::options::{Address, Options};
use crate::reply::{Command, Reply};

/// So many timeouts in a row, and the connection is given up: it may be dead where a new one would work.
const PATIENCE: u32 = 2;

/// Makes connections.
pub(super) struct Dialer {
    address: Address,
    tls: Option<tls::Connector>,
    settings: RedisConnectionInfo,
    connect_timeout: Duration,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The settings hold the password.
        f.debug_struct("Dialer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Dialer {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let mut settings = RedisConnectionInfo::default().set_db(options.db).set_skip_set_lib_name();
        if let Some(username) = &options.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &options.password {
            settings = settings.set_password(password.reveal());
        }
        let tls = match &options.address {
            Address::Tcp { host, tls: true, .. } => Some(tls::Connector::new(host, options.ca.as_deref())?),
            _ => None,
        };
        Ok(Self { address: options.address.clone(), tls, settings, connect_timeout: options.connect_timeout })
    }

    pub(super) async fn dial(&self) -> Result<Link, Failure> {
        match tokio::time::timeout(self.connect_timeout, self.connect()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::NotSent(Cause::Timeout(self.connect_timeout))),
        }
    }

    async fn connect(&self) -> Result<Link, Failure> {
        let failed = |source: flags_core::BoxError| {
            let to = self.address.to_string();
            Failure::NotSent(Cause::Connect { to, source: Arc::new(source) })
        };
        let stream =
            stream::open(&self.address, self.tls.as_ref()).await.map_err(|error| failed(error.into()))?;
        // Our own timeouts tell whether a command was handed over, which the crate's does not.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(1024);
        let (connection, driving) = MultiplexedConnection::new_with_config(&self.settings, stream, config)
            .await
            .map_err(|error| match convert::server_error(&error) {
                Some(refusal) => Failure::Refused(refusal),
                None => failed(error.into()),
            })?;
        let alive = Arc::new(AtomicBool::new(true));
        let ends = Ends(Arc::clone(&alive));
        let task = tokio::spawn(async move {
            let _ends = ends;
            driving.await;
        });
        Ok(Link { connection, alive, timeouts: AtomicU32::new(0), task: task.abort_handle() })
    }
}

/// Says that the connection is no more when its task ends, also with the runtime that it lives in.
struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// One connection. It ends when its last user drops it, or when it is killed.
pub(super) struct Link {
    connection: MultiplexedConnection,
    alive: Arc<AtomicBool>,
    timeouts: AtomicU32,
    task: tokio::task::AbortHandle,
}

impl Link {
    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    pub(super) async fn send(&self, commands: &[Command]) -> Result<Vec<Reply>, Cause> {
        convert::send(self.connection.clone(), commands)
            .await
            .map_err(|error| Cause::Broken(Arc::new(error.into())))
    }

    pub(super) fn answered(&self) {
        self.timeouts.store(0, Ordering::Relaxed);
    }

    /// Each link counts for itself, so a late timeout of a former link never ends the present one.
    pub(super) fn timed_out(&self) {
        if self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            self.kill();
        }
    }

    pub(super) fn kill(&self) {
        self.alive.store(false, Ordering::Release);
        self.task.abort();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}
