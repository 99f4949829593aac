//! [`Confirmed`]: commits that wait until replicas or disks have them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flags_core::{Error, ErrorKind, Result};

use crate::connection::pool::{Lease, Pool};
use crate::deadline;
use crate::error::{Intent, from_failure, from_server, from_useless};
use crate::options::{Concern, Options};
use crate::reply::{Command, Reply, ServerError, Useless};

/// How long before the deadline waiting ends, so that the caller learns how far it came.
const SPARE: Duration = Duration::from_millis(100);

/// What a commit waits for, on a connection of its own: waiting holds up everything behind it, and counts for
/// the writes of its own connection only.
#[derive(Debug)]
pub(super) struct Confirmed {
    concern: Concern,
    command_timeout: Duration,
    pool: Pool,
}

impl Confirmed {
    /// Nothing, where nothing is to be waited for.
    pub(super) fn new(options: &Options, tag: Option<&str>) -> Result<Option<Self>> {
        if options.concern.is_none() {
            return Ok(None);
        }
        let (concern, command_timeout) = (options.concern, options.command_timeout);
        Ok(Some(Self { concern, command_timeout, pool: Pool::new(options, tag)? }))
    }

    /// Proves that the server can be asked.
    pub(super) async fn prove(&self) -> Result<()> {
        let lease = self.take().await?;
        let millisecond = Duration::from_millis(1);
        let command = if self.concern.fsync { waitaof(0, millisecond) } else { wait(0, millisecond) };
        let answer = lease.send(&[command], crate::connection::Access::Read).await;
        let answer = answer.map_err(|failure| from_failure(failure, Intent::Read))?;
        lease.busy(false);
        match answer.replies.into_iter().next().unwrap_or(Reply::Nil) {
            Reply::Error(error) => Err(unable(error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn take(&self) -> Result<Lease<'_>> {
        self.pool.take().await.map_err(|failure| from_failure(failure, Intent::Read))
    }

    /// Waits for what was written on that connection.
    ///
    /// # Errors
    ///
    /// `Indeterminate`, saying how many have it: it is applied, and may be lost with the server.
    pub(super) async fn confirm(&self, lease: &Lease<'_>, link: u64, handed: &AtomicBool) -> Result<()> {
        let limit = self.concern.timeout.min(deadline::left().saturating_sub(SPARE));
        // Zero would be for ever.
        let limit = limit.max(Duration::from_millis(1));
        let replicas = self.concern.replicas;
        let command = if self.concern.fsync { waitaof(replicas, limit) } else { wait(replicas, limit) };
        lease.busy(true);
        handed.store(true, Ordering::Release);
        let answer = lease.send_on(link, &[command], limit.saturating_add(self.command_timeout)).await;
        handed.store(false, Ordering::Release);
        let replies = answer.map_err(|failure| from_failure(failure, Intent::Write))?;
        lease.busy(false);
        let reply = replies.into_iter().next().unwrap_or(Reply::Nil);
        let (disks, confirmed) = self.counts(reply).map_err(|useless| match useless {
            Useless::Server(error) => short("the server did not say who has it").with_source(error),
            shape @ Useless::Shape(_) => {
                short("the server did not say who has it").with_source(from_useless(shape))
            }
        })?;
        if self.concern.fsync && disks < 1 {
            return Err(short(&format!("the server did not have it on disk within {limit:?}")));
        }
        if confirmed < i64::from(replicas) {
            let reason = format!("{confirmed} of {replicas} replicas confirmed it within {limit:?}");
            return Err(short(&reason));
        }
        Ok(())
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }

    /// On how many disks it is here, and how many replicas have it.
    fn counts(&self, reply: Reply) -> Result<(i64, i64), Useless> {
        if !self.concern.fsync {
            return Ok((0, reply.int()?));
        }
        let mut counts = reply.list()?.into_iter();
        let mut next = || counts.next().unwrap_or(Reply::Nil).int();
        Ok((next()?, next()?))
    }
}

fn wait(replicas: u16, limit: Duration) -> Command {
    Command::new("WAIT").arg(replicas.to_string()).arg(limit.as_millis().to_string())
}

fn waitaof(replicas: u16, limit: Duration) -> Command {
    Command::new("WAITAOF").arg("1").arg(replicas.to_string()).arg(limit.as_millis().to_string())
}

fn short(reason: &str) -> Error {
    let reason = format!(
        "the commit was applied, but {reason}; it is lost if the server is, until they have it: read back before repeating it"
    );
    Error::new(ErrorKind::Indeterminate, reason)
}

fn unable(error: ServerError) -> Error {
    let reason = if error.message.contains("unknown command") {
        "the server cannot confirm that a commit is on disk: WAITAOF came with Redis 7.2 and Valkey 7.2; open the store without \
         fsync"
    } else if error.message.contains("appendonly") {
        "the server writes no append-only file, so no commit is ever on disk; set appendonly yes, or open the store without fsync"
    } else {
        return from_server(error);
    };
    Error::unsupported(reason).with_source(error)
}
