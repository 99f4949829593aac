//! The driver over the `redis` crate.
//!
//! The crate multiplexes commands over a stream that we open ourselves: its own way of connecting leaves the TLS provider
//! to chance, and its reconnection waits past every deadline.

mod convert;
mod link;
mod stream;
mod tls;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
    /// Held while dialing, so that callers who find the connection broken make one new one together. Why the last
    /// attempt failed.
    dialing: tokio::sync::Mutex<Option<Failure>>,
    /// How many attempts have failed.
    failed: AtomicU64,
    closed: AtomicBool,
}

impl RedisRs {
    pub(super) fn new(options: &Options) -> Result<Self> {
        Ok(Self {
            dialer: Dialer::new(options)?,
            command_timeout: options.command_timeout,
            current: Mutex::new(None),
            dialing: tokio::sync::Mutex::new(None),
            failed: AtomicU64::new(0),
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
        let failed = self.failed.load(Ordering::Acquire);
        let mut last = self.dialing.lock().await;
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::Closed);
        }
        if let Some(link) = self.live() {
            return Ok(link);
        }
        // Whoever waited for an attempt shares its outcome: else each of many callers would try in turn, past its deadline.
        if let Some(failure) = &*last
            && self.failed.load(Ordering::Acquire) != failed
        {
            return Err(failure.clone());
        }
        let outcome = self.attempt().await;
        if let Err(failure) = &outcome {
            *last = Some(failure.clone());
            self.failed.fetch_add(1, Ordering::Release);
        }
        outcome
    }

    async fn attempt(&self) -> Result<Arc<Link>, Failure> {
        let mut tried = 0;
        loop {
            match self.dialer.dial().await {
                Ok(link) => return self.keep(link),
                Err(failure @ Failure::NotSent(_)) if tried + 1 >= DIALS => return Err(failure),
                Err(Failure::NotSent(_)) => {
                    tried += 1;
                    // Jitter keeps many clients from knocking at a restarted server together.
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(20..100))).await;
                }
                Err(failure) => return Err(failure),
            }
            if self.closed.load(Ordering::Acquire) {
                return Err(Failure::Closed);
            }
        }
    }

    /// Unless the store was closed meanwhile: closing ends the link that it finds under the lock.
    fn keep(&self, link: Link) -> Result<Arc<Link>, Failure> {
        let mut current = self.current();
        if self.closed.load(Ordering::Acquire) {
            link.kill();
            return Err(Failure::Closed);
        }
        let link = Arc::new(link);
        *current = Some(Arc::clone(&link));
        Ok(link)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::options::{Address, Secret};

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    /// Towards a server of the test's own that is asked for a password first.
    async fn driver() -> (TcpListener, RedisRs) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut options = Options::new(Address::Tcp { host: "127.0.0.1".into(), port, tls: false });
        options.password = Some(Secret::new("x"));
        options.connect_timeout = Duration::from_secs(30);
        (listener, RedisRs::new(&options).unwrap())
    }

    #[test]
    fn callers_who_wait_for_one_attempt_share_its_failure() {
        run(async {
            let (listener, driver) = driver().await;
            let accepted = AtomicU64::new(0);
            let hanging_up = async {
                loop {
                    drop(listener.accept().await.unwrap());
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            };
            let ping = [Command::new("PING")];
            let calls = futures_util::future::join_all((0..64).map(|_| driver.send(&ping, Access::Read)));
            tokio::select! {
                () = hanging_up => {}
                answers = calls => for answer in answers {
                    assert!(matches!(answer, Err(Failure::NotSent(Cause::Connect { .. }))), "{answer:?}");
                }
            }
            assert_eq!(accepted.load(Ordering::Relaxed), u64::from(DIALS));
        });
    }

    #[test]
    fn a_connection_that_is_made_while_the_store_is_closed_ends() {
        run(async {
            let (listener, driver) = driver().await;
            let ping = [Command::new("PING")];
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 1024];
                assert!(stream.read(&mut asked).await.unwrap() > 0);
                driver.close();
                stream.write_all(b"+OK\r\n").await.unwrap();
                // Whatever was sent still, then the end.
                while stream.read(&mut asked).await.is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(b"+PONG\r\n").await;
                }
            };
            let (answer, ended) = tokio::join!(
                driver.send(&ping, Access::Read),
                tokio::time::timeout(Duration::from_secs(30), server)
            );
            assert!(matches!(answer, Err(Failure::Closed)), "{answer:?}");
            assert!(ended.is_ok());
            assert!(driver.live().is_none());
        });
    }
}
