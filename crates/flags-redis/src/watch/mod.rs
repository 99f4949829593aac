//! Watches: one task follows the store for all of them (C12).
//!
//! The server tells which keys change, whoever changes them (`CLIENT TRACKING`, broadcasting). A connection that ends, or may have
//! missed something, becomes `Lost`; once it is made anew, and the server tells again, `Resync`. While the keys move to another server of
//! a cluster both are followed.

mod follower;
mod moving;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flags_core::storage::{BoxStream, Change};
use flags_core::watch::{ChangeHub, DEFAULT_BOUND};
use flags_core::{Error, Result};
use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::error::{Failure, Intent, from_failure};
use crate::keyspace::Keyspace;
use follower::Follower;

/// Whether the store is followed.
#[derive(Debug, Clone)]
enum State {
    /// Not known yet.
    Connecting,
    Following,
    /// Why not. It is tried again.
    Failed(Failure),
}

/// The watches of a store, and the task that feeds them while there are any.
#[derive(Debug)]
pub(crate) struct Watches {
    hub: Arc<ChangeHub>,
    state: watch::Sender<State>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Watches {
    pub(crate) fn new() -> Self {
        Self { hub: Arc::default(), state: watch::Sender::new(State::Connecting), task: Arc::default() }
    }

    /// A new watch, once the store is followed; the first reason why it is not, if that comes before.
    pub(crate) async fn subscribe(
        &self,
        connection: &Arc<Connection>,
        keyspace: &Keyspace,
        deadline: Duration,
    ) -> Result<BoxStream<'static, Change>> {
        let (stream, mut state) = {
            let mut task = lock(&self.task);
            let stream = self.hub.subscribe(DEFAULT_BOUND);
            // The former one may have ended with the runtime that it lived in.
            if task.as_ref().is_none_or(JoinHandle::is_finished) {
                self.state.send_replace(State::Connecting);
                let follower = Follower {
                    connection: Arc::clone(connection),
                    keyspace: keyspace.clone(),
                    deadline,
                    hub: Arc::clone(&self.hub),
                    state: self.state.clone(),
                    task: Arc::clone(&self.task),
                    retired: AtomicBool::new(false),
                };
                *task = Some(tokio::spawn(follower.run()));
            }
            (stream, self.state.subscribe())
        };
        let known = state.wait_for(|state| !matches!(state, State::Connecting)).await;
        match known.map(|state| state.clone()) {
            Ok(State::Following) => Ok(stream.boxed()),
            Ok(State::Failed(failure)) => Err(from_failure(failure.clone(), Intent::Read)),
            Ok(State::Connecting) | Err(_) => Err(Error::closed()),
        }
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        drop(self.hub.close());
    }
}

/// A poisoned lock is no reason to stop: nothing is half done under it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
