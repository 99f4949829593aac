//! [`Pool`]: connections for one caller at a time each.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flags_core::Result;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Connection;
use crate::error::Failure;
use crate::options::Options;

/// How many callers at once.
const SIZE: usize = 4;

/// A few connections. A command that blocks its connection blocks nobody else's there.
#[derive(Debug)]
pub(crate) struct Pool {
    all: Vec<Arc<Connection>>,
    free: Mutex<Vec<Arc<Connection>>>,
    turns: Semaphore,
}

impl Pool {
    /// They connect when they are first used.
    ///
    /// # Errors
    ///
    /// Those of [`Connection::new`].
    pub(crate) fn new(options: &Options, tag: Option<&str>) -> Result<Self> {
        let all: Vec<_> =
            (0..SIZE).map(|_| Connection::new(options, tag).map(Arc::new)).collect::<Result<_>>()?;
        Ok(Self { free: Mutex::new(all.clone()), all, turns: Semaphore::new(SIZE) })
    }

    /// A connection of one's own, as soon as one is free.
    pub(crate) async fn take(&self) -> Result<Lease<'_>, Failure> {
        let turn = self.turns.acquire().await.map_err(|_| Failure::Closed)?;
        let connection = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // There are as many turns as connections.
        let connection = connection.ok_or(Failure::Closed)?;
        Ok(Lease { pool: self, connection, busy: AtomicBool::new(true), _turn: turn })
    }

    pub(crate) fn close(&self) {
        self.turns.close();
        self.all.iter().for_each(|connection| connection.close());
    }
}

/// A connection that nobody else has. It goes back when it is dropped, and ends if it was waiting for an
/// answer: whoever has it next would wait for that first.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    connection: Arc<Connection>,
    busy: AtomicBool,
    _turn: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Whether it is waiting for an answer; at the beginning it is.
    pub(crate) fn busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Release);
    }
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.busy.load(Ordering::Acquire) {
            self.connection.hang_up();
        }
        let mut free = self.pool.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(Arc::clone(&self.connection));
    }
}
