//! [`Connection`]: commands to the server of a store, over a connection that is made anew when it breaks.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flags_core::Result;

use crate::driver::{self, Dialer, Link};
use crate::error::{Cause, Failure};
use crate::options::Options;
use crate::reply::{Command, Reply};
use crate::topology::Topology;

/// How often connecting is tried within one call.
const DIALS: u32 = 2;
/// So many timeouts in a row, and the connection is given up: it may be dead where a new one would work.
const PATIENCE: u32 = 2;

/// What may be done about a call whose connection breaks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access<'a> {
    /// It may be repeated on another connection.
    Read,
    /// It must not be repeated. The flag is up from when a connection has it until it is answered.
    Write(&'a AtomicBool),
}

impl Access<'_> {
    fn hand(self, handed: bool) {
        if let Access::Write(flag) = self {
            flag.store(handed, Ordering::Release);
        }
    }
}

/// One connection at a time to one server at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    dialer: Arc<dyn Dialer>,
    topology: Topology,
    connect_timeout: Duration,
    command_timeout: Duration,
    current: Mutex<Option<Arc<Live>>>,
    /// Held while dialing, so that callers who find the connection broken make one new one together. Why the last
    /// attempt failed.
    dialing: tokio::sync::Mutex<Option<Failure>>,
    /// How many attempts have failed.
    failed: AtomicU64,
    closed: AtomicBool,
}

/// A connection, and how long it has been silent. Each counts for itself, so a late timeout of a former one never ends
/// the present one.
#[derive(Debug)]
struct Live {
    link: Box<dyn Link>,
    timeouts: AtomicU32,
}

impl Live {
    fn timed_out(&self) {
        if self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE {
            self.link.kill();
        }
    }
}

impl Connection {
    /// Connects when it is first used.
    ///
    /// # Errors
    ///
    /// `Invalid` for options that cannot be, `Unsupported` for a driver that is not compiled in.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        Ok(Self {
            dialer: driver::dialer(options.driver)?,
            topology: Topology::new(options)?,
            connect_timeout: options.connect_timeout,
            command_timeout: options.command_timeout,
            current: Mutex::new(None),
            dialing: tokio::sync::Mutex::new(None),
            failed: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        })
    }

    /// Sends the commands as one write, and answers their replies in order; there is at least one command.
    ///
    /// Dropping the future leaves the connection usable: late replies are discarded.
    pub(crate) async fn send(&self, commands: &[Command], access: Access<'_>) -> Result<Vec<Reply>, Failure> {
        let mut repeated = false;
        loop {
            let live = self.link().await?;
            access.hand(true);
            let answer = tokio::time::timeout(self.command_timeout, live.link.send(commands)).await;
            let failure = match answer {
                Ok(Ok(replies)) => {
                    live.timeouts.store(0, Ordering::Relaxed);
                    access.hand(false);
                    return Ok(replies);
                }
                Ok(Err(cause)) => {
                    live.link.kill();
                    cause
                }
                Err(_) => {
                    live.timed_out();
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

    /// Gives the connection up, for good.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(live) = self.current().take() {
            live.link.kill();
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> Option<Arc<Live>> {
        self.current().as_ref().filter(|live| live.link.is_alive()).cloned()
    }

    async fn link(&self) -> Result<Arc<Live>, Failure> {
        if let Some(live) = self.live() {
            return Ok(live);
        }
        let failed = self.failed.load(Ordering::Acquire);
        let mut last = self.dialing.lock().await;
        if self.closed.load(Ordering::Acquire) {
            return Err(Failure::Closed);
        }
        if let Some(live) = self.live() {
            return Ok(live);
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

    async fn attempt(&self) -> Result<Arc<Live>, Failure> {
        let mut tried = 0;
        loop {
            match self.dial().await {
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

    async fn dial(&self) -> Result<Box<dyn Link>, Failure> {
        let target = self.topology.locate().await?;
        match tokio::time::timeout(self.connect_timeout, self.dialer.dial(&target, None)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::NotSent(Cause::Timeout(self.connect_timeout))),
        }
    }

    /// Unless the store was closed meanwhile: closing ends the link that it finds under the lock.
    fn keep(&self, link: Box<dyn Link>) -> Result<Arc<Live>, Failure> {
        let mut current = self.current();
        if self.closed.load(Ordering::Acquire) {
            link.kill();
            return Err(Failure::Closed);
        }
        let live = Arc::new(Live { link, timeouts: AtomicU32::new(0) });
        *current = Some(Arc::clone(&live));
        Ok(live)
    }
}

#[cfg(all(test, any(feature = "redis-rs", feature = "fred")))]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::driver::tests::DRIVERS;
    use crate::options::{Address, Driver, Login, Secret};

    fn run(test: &impl AsyncFn(Driver)) {
        for driver in DRIVERS {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test(*driver));
        }
    }

    /// Towards a server of the test's own that is asked for a password first.
    async fn connection(driver: Driver) -> (TcpListener, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut options = Options::new(Address::Tcp { host: "127.0.0.1".into(), port });
        options.login = Login { username: None, password: Some(Secret::new("x")) };
        options.driver = Some(driver);
        options.connect_timeout = Duration::from_secs(30);
        (listener, Connection::new(&options).unwrap())
    }

    #[test]
    fn callers_who_wait_for_one_attempt_share_its_failure() {
        run(&async |driver| {
            let (listener, connection) = connection(driver).await;
            let accepted = AtomicU64::new(0);
            let hanging_up = async {
                loop {
                    drop(listener.accept().await.unwrap());
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            };
            let ping = [Command::new("PING")];
            let calls = futures_util::future::join_all((0..64).map(|_| connection.send(&ping, Access::Read)));
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
        run(&async |driver| {
            let (listener, connection) = connection(driver).await;
            let ping = [Command::new("PING")];
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 1024];
                assert!(stream.read(&mut asked).await.unwrap() > 0);
                connection.close();
                stream.write_all(b"+OK\r\n").await.unwrap();
                // Whatever was sent still, then the end.
                while stream.read(&mut asked).await.is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(b"+PONG\r\n").await;
                }
            };
            let (answer, ended) = tokio::join!(
                connection.send(&ping, Access::Read),
                tokio::time::timeout(Duration::from_secs(30), server)
            );
            assert!(matches!(answer, Err(Failure::Closed)), "{answer:?}");
            assert!(ended.is_ok());
            assert!(connection.live().is_none());
        });
    }
}
