//! Watches: one task follows the store for all of them (C12).
//!
//! The server tells which keys change, whoever changes them (`CLIENT TRACKING`, broadcasting). A connection
//! that ends, or may have missed something, becomes `Lost`; once it is made anew, and the server tells again,
//! `Resync`. While the keys move to another server of a cluster both are followed.

mod follower;
mod moving;
mod pace;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flags_core::storage::{BoxStream, Change};
use flags_core::watch::{ChangeHub, ChangeStream, DEFAULT_BOUND};
use flags_core::{Error, Result};
use futures_util::StreamExt as _;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::deadline;
use crate::error::{Failure, from_following};
use crate::keyspace::Keyspace;
use follower::Follower;

/// Whether the store is followed.
#[derive(Debug, Clone)]
enum State {
    /// Not known yet.
    Connecting,
    Following,
    /// Why the attempt of that number failed. There will be another.
    Failed(u64, Failure),
    /// The follower has ended with the runtime that it lived in, or with the store.
    Ended,
}

/// The watches of a store, and the task that feeds them while there are any.
#[derive(Debug)]
pub(crate) struct Watches {
    shared: Arc<Shared>,
    closed: AtomicBool,
}

/// What the follower shares with whoever subscribes.
#[derive(Debug)]
struct Shared {
    hub: ChangeHub,
    state: watch::Sender<State>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// How often it was attempted to follow the store.
    attempts: AtomicU64,
    /// Somebody waits for the next attempt.
    wanted: Notify,
}

impl Watches {
    pub(crate) fn new() -> Self {
        let shared = Shared {
            hub: ChangeHub::new(),
            state: watch::Sender::new(State::Connecting),
            task: Mutex::default(),
            attempts: AtomicU64::new(0),
            wanted: Notify::new(),
        };
        Self { shared: Arc::new(shared), closed: AtomicBool::new(false) }
    }

    /// A new watch, once the store is followed; why it is not, as an attempt found that began after this.
    pub(crate) async fn subscribe(
        &self,
        connection: &Arc<Connection>,
        keyspace: &Keyspace,
        deadline: Duration,
    ) -> Result<BoxStream<'static, Change>> {
        loop {
            let (stream, mut state, before) = self.join(connection, keyspace, deadline)?;
            let known = state.wait_for(|state| match state {
                State::Connecting => false,
                State::Following | State::Ended => true,
                State::Failed(attempt, _) => *attempt > before,
            });
            match known.await.map(|state| state.clone()) {
                Ok(State::Following) => return Ok(stream.boxed()),
                Ok(State::Failed(_, failure)) => return Err(from_following(failure)),
                // The runtime of the follower is about to be gone; then another takes its place in this one.
                Ok(State::Ended) if !self.closed.load(Ordering::Acquire) && deadline::pause().await => {}
                Ok(State::Connecting | State::Ended) | Err(_) => return Err(Error::closed()),
            }
        }
    }

    /// Takes a place among the watches, and sees to it that there is a follower, which makes haste. Answers
    /// as well how many attempts had begun before.
    fn join(
        &self,
        connection: &Arc<Connection>,
        keyspace: &Keyspace,
        deadline: Duration,
    ) -> Result<(ChangeStream, watch::Receiver<State>, u64)> {
        let shared = &self.shared;
        let mut task = lock(&shared.task);
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        let stream = shared.hub.subscribe(DEFAULT_BOUND);
        let before = shared.attempts.load(Ordering::Acquire);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            shared.state.send_replace(State::Connecting);
            let follower = Follower {
                connection: Arc::clone(connection),
                keyspace: keyspace.clone(),
                deadline,
                shared: Arc::clone(shared),
                retired: AtomicBool::new(false),
            };
            *task = Some(tokio::spawn(follower.run()));
        } else if !matches!(*shared.state.borrow(), State::Following) {
            shared.wanted.notify_one();
        }
        Ok((stream, shared.state.subscribe(), before))
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        let mut task = lock(&self.shared.task);
        self.closed.store(true, Ordering::Release);
        if let Some(task) = task.take() {
            task.abort();
        }
        drop(task);
        drop(self.shared.hub.close());
    }
}

/// A poisoned lock is no reason to stop: nothing is half done under it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
