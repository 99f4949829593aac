//! The driver over the `redis` crate.
//!
//! The crate multiplexes commands over a stream that we open ourselves: its own way of connecting leaves the TLS provider
//! to chance, and its reconnection waits past every deadline.

mod convert;
mod link;
mod stream;
mod tls;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use flags_core::Result;

use super::{Access, Driver};
use crate::error::{Cause, Failure};
use crate::options::Options;
use crate::reply::{Command, Reply};
use link::{Dialer, Link};

/// How often connecting is tried within one call.
const DIALS: u32 = 2;

#[derive(Debug)]
pub(super) struct RedisRs {
    dialer: Dialer,
    command_timeout: Duration,
    current: Mutex<Option<Arc<Link>>>,
    /// Held while dialing, so that callers who find the connection broken make one new one together.
    dialing: tokio::sync::Mutex<()>,
    closed: AtomicBool,
}

impl RedisRs {
    pub(super) fn new(options: &Options) -> Result<Self> {
        Ok(Self {
            dialer: Dialer::new(options)?,
            command_timeout: options.command_timeout,
            current: Mutex::new(None),
            dialing: tokio::sync::Mutex::new(()),
            closed: AtomicBool::new(false),
        })
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Link>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> Option<Arc<Link>> {
        self.current().as_ref().filter(|link| link.is_alive()).cloned()
    }

    async fn link(&self) -> Result<Arc<Link>, Failure> {
        if let Some(link) = self.live() {
            return Ok(link);
        }
        let _dialing = self.dialing.lock().await;
        let mut tried = 0;
        loop {
            if self.closed.load(Ordering::Acquire) {
                return Err(Failure::Closed);
            }
            if let Some(link) = self.live() {
                return Ok(link);
            }
            match self.dialer.dial().await {
                Ok(link) => {
                    let link = Arc::new(link);
                    *self.current() = Some(Arc::clone(&link));
                    return Ok(link);
                }
                Err(failure @ Failure::NotSent(_)) if tried + 1 >= DIALS => return Err(failure),
                Err(Failure::NotSent(_)) => {
                    tried += 1;
                    // Jitter keeps many clients from knocking at a restarted server together.
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..100))).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }
}

#[async_trait]
impl Driver for RedisRs {
    async fn send(&self, commands: &[Command], access: Access<'_>) -> Result<Vec<Reply>, Failure> {
        let mut repeated = false;
        loop {
            let link = self.link().await?;
            if let Access::Write(handed) = access {
                handed.store(true, Ordering::Release);
            }
            let answer = tokio::time::timeout(self.command_timeout, link.send(commands)).await;
            let failure = match answer {
                Ok(Ok(replies)) => {
                    link.answered();
                    if let Access::Write(handed) = access {
                        handed.store(false, Ordering::Release);
                    }
                    return Ok(replies);
                }
                Ok(Err(cause)) => {
                    link.kill();
                    cause
                }
                Err(_) => {
                    link.timed_out();
                    return Err(Failure::Unanswered(Cause::Timeout(self.command_timeout)));
                }
            };
            // A connection that broke while idle is often noticed by the next command only.
            if matches!(access, Access::Write(_)) || repeated {
                return Err(Failure::Unanswered(failure));
            }
            repeated = true;
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(link) = self.current().take() {
            link.kill();
        }
    }
}
