//! [`RedisStorage`]: the contract over commands. One file a method.

mod cascade;
mod commit;
mod concern;
mod cursor;
mod get;
mod health;
mod inspect;
mod known;
mod list;
mod need;
mod open;
mod plan;
mod source;
#[cfg(all(test, any(feature = "redis-rs", feature = "fred")))]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use flags_core::storage::{Batch, BoxStream, Capability, Change, Descriptor, Effect, Health, Query, Stored};
use flags_core::{Error, ErrorKind, Key, Result, Storage};

use crate::connection::{Access, Answer, Connection};
use crate::deadline::within;
use crate::error::{Intent, from_failure, is_out_of_step};
use crate::keyspace::Keyspace;
use crate::options::{Foreign, RedisBuilder};
use crate::reply::{Command, Reply};
use crate::url;
use crate::watch::Watches;
use concern::Confirmed;
use known::Known;

/// A store in Redis or Valkey.
///
/// Reads see what another program stored under a record's key as that record's value; a key of another type
/// (a list, say) reads as absent, and a commit that names it is refused before anything is written.
///
/// Every method ends within the [deadline](RedisBuilder::deadline), which a long read has for each page, and
/// may be dropped at any time: commands that were sent run to their end on the server, and their answers are
/// discarded.
#[derive(Debug)]
pub struct RedisStorage {
    connection: Arc<Connection>,
    watches: Watches,
    /// Where commits are made instead, if they wait for replicas or disks.
    confirmed: Option<Confirmed>,
    keyspace: Keyspace,
    descriptor: Descriptor,
    foreign: Foreign,
    deadline: Duration,
    known: Known,
    /// The server does not let us use `SORT ... GET`: a cluster, an ACL user without every key, or one that
    /// has no `SORT`.
    sort_refused: AtomicBool,
    /// The server took no writes when it was asked last. The next commit asks again.
    unwritable: AtomicBool,
    closed: AtomicBool,
}

impl RedisStorage {
    /// Reads a URL, of one of the [forms](crate#urls); a user only with a password, which is percent-encoded.
    /// Its parameters, each at most once:
    ///
    /// | parameter | as |
    /// |---|---|
    /// | `prefix` | [`RedisBuilder::prefix`] |
    /// | `foreign=scan`, `foreign=index` | [`RedisBuilder::foreign`] |
    /// | `db` | the number of the database |
    /// | `connect_timeout_ms`, `command_timeout_ms`, `deadline_ms` | the method of that name; 1000, 1000 and 2000 unless said otherwise |
    /// | `replicas`, `fsync=true`, `wait_ms` | [`RedisBuilder::replicas`], [`RedisBuilder::fsync`], and how long to wait for both, 1000 unless said otherwise |
    /// | `driver=redis-rs`, `driver=fred` | [`RedisBuilder::driver`] |
    /// | `ca_file` | [`RedisBuilder::ca_certificates`], from a file |
    /// | `sentinel_user`, `sentinel_password` | [`RedisBuilder::sentinel_credentials`] |
    /// | `cert_file`, `key_file` | [`RedisBuilder::client_certificate`], from files |
    ///
    /// # Errors
    ///
    /// `Invalid` for a URL that cannot be read or a parameter that does not exist. The error repeats no
    /// password.
    pub fn builder(url: &str) -> Result<RedisBuilder> {
        url::parse(url).map(RedisBuilder::new)
    }

    /// Opens the store that the URL names: [`builder`](Self::builder), then [`open`](RedisBuilder::open).
    ///
    /// # Errors
    ///
    /// Those of both.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::builder(url)?.open().await
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::closed()) } else { Ok(()) }
    }

    async fn reading<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.check_open()?;
        let outcome = within(self.deadline, &AtomicBool::new(false), call).await;
        outcome.inspect_err(|error| self.judge(error))
    }

    /// What was answered wrongly may have been the answer to something else, and what is answered next too.
    fn judge(&self, error: &Error) {
        if is_out_of_step(error) {
            self.connection.hang_up();
        }
    }

    fn hang_up(&self) {
        self.watches.close();
        self.connection.close();
        if let Some(confirmed) = &self.confirmed {
            confirmed.close();
        }
    }

    /// Sends commands that change nothing, as one write.
    async fn read(&self, commands: &[Command]) -> Result<Vec<Reply>> {
        Ok(self.asked(commands, Access::Read).await?.replies)
    }

    /// Sends commands that look at keys which they do not name, while no node of a cluster has but some of
    /// them.
    async fn read_whole(&self, commands: &[Command], access: Access<'_>) -> Result<Answer> {
        if !self.connection.is_cluster() {
            return self.asked(commands, access).await;
        }
        // Of such keys a node says nothing. Of a key that does not exist it says that it may be elsewhere, as
        // soon as keys begin to move.
        let moving = Command::new("GET").arg(self.keyspace.scratch("moving"));
        let mut answer = self.asked(&[commands, &[moving]].concat(), access).await?;
        answer.replies.truncate(commands.len());
        Ok(answer)
    }

    async fn asked(&self, commands: &[Command], access: Access<'_>) -> Result<Answer> {
        self.connection.send(commands, access).await.map_err(|failure| from_failure(failure, Intent::Read))
    }
}

#[async_trait]
impl Storage for RedisStorage {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        self.reading(self.get_records(keys)).await
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        self.list_records(query)
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        self.check_open()?;
        let handed = AtomicBool::new(false);
        let outcome = within(self.deadline, &handed, self.commit_batch(batch, &handed)).await;
        let outcome = outcome.inspect_err(|error| self.judge(error));
        // Where it has to be confirmed, that it is applied says too little.
        outcome.map_err(|error| match (&self.confirmed, error.kind()) {
            (Some(_), ErrorKind::Indeterminate) => error.as_unconfirmed(),
            _ => error,
        })
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        self.check_open()?;
        if !self.descriptor.has(Capability::Watch) {
            return Err(Error::unsupported(
                "the server does not tell of changes: it has no CLIENT TRACKING, or something stands in front of it that does not pass it \
                 on; read again when it matters",
            ));
        }
        let watch = self.watches.subscribe(&self.connection, &self.keyspace, self.deadline);
        within(self.deadline, &AtomicBool::new(false), watch).await
    }

    async fn health(&self) -> Result<Health> {
        self.reading(self.check_health()).await
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        self.hang_up();
        Ok(())
    }
}

impl Drop for RedisStorage {
    fn drop(&mut self) {
        self.hang_up();
    }
}
