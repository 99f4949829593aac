//! [`Live`]: a connection in use.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::address::Address;
use crate::driver::Link;
use crate::error::Cause;
use crate::reply::{Command, Reply};

/// So many timeouts in a row, and the connection is given up: it may be dead where a new one would work.
const PATIENCE: u32 = 2;

/// A connection, where it leads, and how often it has been silent. Each counts for itself, so a late timeout of a former
/// one never ends the present one.
#[derive(Debug)]
pub(super) struct Live {
    link: Box<dyn Link>,
    at: Address,
    number: u64,
    timeouts: AtomicU32,
}

impl Live {
    pub(super) fn new(link: Box<dyn Link>, at: Address, number: u64) -> Self {
        Self { link, at, number, timeouts: AtomicU32::new(0) }
    }

    pub(super) fn at(&self) -> &Address {
        &self.at
    }

    /// No other connection of the same store has it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_alive(&self) -> bool {
        self.link.is_alive()
    }

    pub(super) fn kill(&self) {
        self.link.kill();
    }

    pub(super) async fn send(&self, commands: &[Command], limit: Duration) -> Result<Vec<Reply>, Cause> {
        match tokio::time::timeout(limit, self.link.send(commands)).await {
            Ok(Ok(replies)) => {
                self.timeouts.store(0, Ordering::Relaxed);
                Ok(replies)
            }
            Ok(Err(cause)) => {
                self.link.kill();
                Err(cause)
            }
            Err(_) => {
                if self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
                    self.link.kill();
                }
                Err(Cause::Timeout(limit))
            }
        }
    }
}
