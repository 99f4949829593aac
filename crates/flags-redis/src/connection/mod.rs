//! [`Connection`]: commands to the server of a store, over a connection that is made anew when it breaks.

mod follow;
mod live;
mod making;
pub(crate) mod pool;
mod redirect;
#[cfg(all(test, any(feature = "redis-rs", feature = "fred")))]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flags_core::Result;

use crate::deadline;
use crate::driver::{self, Dialer};
use crate::error::{Cause, Failure};
use crate::options::Options;
use crate::reply::{Command, Reply};
use crate::topology::Topology;
pub(crate) use follow::Followed;
use live::Live;
use redirect::Settled;

/// What may be done about a call whose connection breaks or whose server has moved.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access<'a> {
    /// It may be repeated on another connection.
    Read,
    /// It means something on that connection only, or, without a number, on any that sees all keys of the
    /// store: it begins or goes on with a cursor.
    Cursor(Option<u64>),
    /// It must not be repeated, except after an answer that proves that it did not run. The flag is up from
    /// when a connection has it until it is answered.
    Write(&'a AtomicBool),
}

impl Access<'_> {
    fn hand(self, handed: bool) {
        if let Access::Write(flag) = self {
            flag.store(handed, Ordering::Release);
        }
    }
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// In the order of the commands; none where a cursor's connection is gone.
    pub(crate) replies: Vec<Reply>,
    /// The number of the connection that answered.
    pub(crate) link: u64,
}

/// One connection at a time to one server at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    dialer: Arc<dyn Dialer>,
    topology: Topology,
    connect_timeout: Duration,
    command_timeout: Duration,
    current: Mutex<Option<Arc<Live>>>,
    /// To the server that is getting the keys, while they move.
    importing: Mutex<Option<Arc<Live>>>,
    /// Held while that one is made, as `dialing` is.
    reaching: tokio::sync::Mutex<()>,
    /// How many connections there were.
    made: AtomicU64,
    /// Held while dialing, so that callers who find the connection broken make one new one together. Why the
    /// last attempt failed.
    dialing: tokio::sync::Mutex<Option<Failure>>,
    /// How many attempts have failed.
    failed: AtomicU64,
    closed: AtomicBool,
}

impl Connection {
    /// Connects when it is first used. `tag` is the hash tag of the store's keys.
    ///
    /// # Errors
    ///
    /// `Invalid` for options that cannot be, `Unsupported` for a driver that is not compiled in.
    pub(crate) fn new(options: &Options, tag: Option<&str>) -> Result<Self> {
        Ok(Self {
            dialer: driver::dialer(options.driver)?,
            topology: Topology::new(options, tag)?,
            connect_timeout: options.connect_timeout,
            // What is silent for a whole call is silent.
            command_timeout: options.command_timeout.min(options.deadline),
            current: Mutex::new(None),
            importing: Mutex::new(None),
            reaching: tokio::sync::Mutex::new(()),
            made: AtomicU64::new(0),
            dialing: tokio::sync::Mutex::new(None),
            failed: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        })
    }

    /// Whether keys may move from one server to another.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }

    /// Sends the commands as one write, and answers their replies in order; there is at least one command.
    ///
    /// Dropping the future leaves the connection usable: late replies are discarded.
    pub(crate) async fn send(&self, commands: &[Command], access: Access<'_>) -> Result<Answer, Failure> {
        let (mut repeated, mut redirected) = (false, false);
        loop {
            let live = self.link().await?;
            if matches!(access, Access::Cursor(Some(number)) if number != live.number()) {
                return Ok(Answer { replies: Vec::new(), link: live.number() });
            }
            match self.exchange(&live, commands, access).await {
                Ok(replies) => {
                    match self.settle(&live, commands, replies, access).await? {
                        Settled::Answered(answer) => return Ok(answer),
                        // Once at once: whoever moved is there already.
                        Settled::Moved(_) if !redirected => redirected = true,
                        Settled::Moved(error) | Settled::Later(error) => {
                            if !deadline::pause().await {
                                return Err(Failure::Unsettled(error));
                            }
                        }
                    }
                }
                Err(cause @ Cause::Timeout(_)) => return Err(Failure::Unanswered(cause)),
                Err(cause) if matches!(access, Access::Write(_)) || repeated => {
                    return Err(Failure::Unanswered(cause));
                }
                // A connection that broke while idle is often noticed by the next command only.
                Err(_) => repeated = true,
            }
        }
    }

    /// Sends to the connection of that number and no other, and waits so long for the answer.
    ///
    /// # Errors
    ///
    /// `Unanswered`, also where that connection is gone.
    pub(crate) async fn send_on(
        &self,
        link: u64,
        commands: &[Command],
        limit: Duration,
    ) -> Result<Vec<Reply>, Failure> {
        let current = self.current().clone();
        let importing = self.importing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let live = current.into_iter().chain(importing).find(|live| live.number() == link);
        let gone = || Cause::broken("the connection that the write was made on is gone");
        match live {
            Some(live) => live.send(commands, limit).await.map_err(Failure::Unanswered),
            None => Err(Failure::Unanswered(gone())),
        }
    }

    /// Once, over that connection, for so long.
    async fn exchange(
        &self,
        live: &Live,
        commands: &[Command],
        access: Access<'_>,
    ) -> Result<Vec<Reply>, Cause> {
        access.hand(true);
        let outcome = live.send(commands, self.command_timeout).await;
        if outcome.is_ok() {
            access.hand(false);
        }
        outcome
    }

    /// Gives the connection up, for good.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.hang_up();
    }

    /// Ends the connection; the next call makes another.
    pub(crate) fn hang_up(&self) {
        let importing = self.importing.lock().unwrap_or_else(PoisonError::into_inner).take();
        for live in self.current().take().into_iter().chain(importing) {
            live.kill();
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
