//! [`RedisStorage`]: the contract over commands. One file a method.

mod cascade;
mod commit;
mod get;
mod health;
mod inspect;
mod known;
mod list;
mod need;
mod open;
mod plan;
mod source;

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flags_core::storage::{Batch, BoxStream, Change, Descriptor, Effect, Health, Query, Stored};
use flags_core::{Error, Key, Result, Storage};

use crate::driver::{Access, Driver};
use crate::error::{Intent, from_failure, past_deadline};
use crate::keyspace::Keyspace;
use crate::options::{Foreign, RedisBuilder};
use crate::reply::{Command, Reply};
use crate::url;
use known::Known;

tokio::task_local! {
    /// The time of the call that is being polled.
    static CLOCK: Cell<Clock>;
}

/// When the deadline of a call begins, which each page of a long read puts off.
#[derive(Debug, Clone, Copy)]
struct Clock {
    begun: Instant,
    /// The call is scanning the keys of the server.
    scans: bool,
}

/// A store in Redis or Valkey.
///
/// Reads see what another program stored under a record's key as that record's value; a key of another type (a list, say)
/// reads as absent, and a commit that names it is refused before anything is written.
///
/// Every method ends within the [deadline](RedisBuilder::deadline), which a long read has for each page, and may be dropped at
/// any time: commands that were sent run to their end on the server, and their answers are discarded.
#[derive(Debug)]
pub struct RedisStorage {
    driver: Arc<dyn Driver>,
    keyspace: Keyspace,
    descriptor: Descriptor,
    foreign: Foreign,
    deadline: Duration,
    known: Known,
    /// The server does not let us use `SORT ... GET`: a cluster, or an ACL user without every key.
    sort_refused: AtomicBool,
    closed: AtomicBool,
}

impl RedisStorage {
    /// Reads a URL: `redis://[user:password@]host[:port][/db]`, `rediss://...` for TLS,
    /// `redis+unix://[user:password@]/path/to/socket`; a user only with a password, which is percent-encoded. Its parameters,
    /// each at most once:
    ///
    /// | parameter | as |
    /// |---|---|
    /// | `prefix` | [`RedisBuilder::prefix`] |
    /// | `foreign=scan`, `foreign=index` | [`RedisBuilder::foreign`] |
    /// | `db` | the number of the database |
    /// | `connect_timeout_ms`, `command_timeout_ms`, `deadline_ms` | the method of that name |
    /// | `ca_file` | [`RedisBuilder::ca_certificates`], from a file |
    ///
    /// # Errors
    ///
    /// `Invalid` for a URL that cannot be read or a parameter that does not exist. The error repeats no password.
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

    /// Ends a call at the deadline. `handed` is up while a connection has a commit that is not answered.
    async fn within<T>(&self, handed: &AtomicBool, call: impl Future<Output = Result<T>>) -> Result<T> {
        let clock = Clock { begun: Instant::now(), scans: false };
        let timed = async {
            let mut call = pin!(call);
            loop {
                let clock = CLOCK.with(Cell::get);
                let left = self.deadline.saturating_sub(clock.begun.elapsed());
                match tokio::time::timeout(left, &mut call).await {
                    Ok(outcome) => return outcome,
                    // A page was read meanwhile, and the time begins with it.
                    Err(_) if CLOCK.with(Cell::get).begun > clock.begun => {}
                    Err(_) => {
                        let handed = handed.load(Ordering::Acquire);
                        return Err(past_deadline(self.deadline, handed, CLOCK.with(Cell::get).scans));
                    }
                }
            }
        };
        CLOCK.scope(Cell::new(clock), timed).await
    }

    /// A page of many was read: what comes next has the whole deadline again.
    fn paged(&self, scans: bool) {
        // Outside of a call there is no deadline.
        let _ = CLOCK.try_with(|clock| clock.set(Clock { begun: Instant::now(), scans }));
    }

    async fn reading<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.check_open()?;
        self.within(&AtomicBool::new(false), call).await
    }

    /// Sends commands that change nothing, as one write.
    async fn read(&self, commands: &[Command]) -> Result<Vec<Reply>> {
        self.driver.send(commands, Access::Read).await.map_err(|failure| from_failure(failure, Intent::Read))
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
        self.within(&handed, self.commit_batch(batch, &handed)).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        self.check_open()?;
        Err(Error::unsupported("this backend does not watch; read again when it matters"))
    }

    async fn health(&self) -> Result<Health> {
        self.reading(self.check_health()).await
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        self.driver.close();
        Ok(())
    }
}

impl Drop for RedisStorage {
    fn drop(&mut self) {
        self.driver.close();
    }
}
