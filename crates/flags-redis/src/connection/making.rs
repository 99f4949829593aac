//! Making a connection: one for all who wait for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Connection, Live};
use crate::address::Address;
use crate::deadline;
use crate::driver::Link;
use crate::error::Failure;
use crate::topology::{Dialing, Topology};

/// How often connecting to a given server is tried within one call. A server that is sought is sought until
/// the deadline: a failover may be going on.
const DIALS: u32 = 2;

impl Connection {
    pub(super) fn live(&self) -> Option<Arc<Live>> {
        self.current().as_ref().filter(|live| live.is_alive()).cloned()
    }

    pub(super) async fn link(&self) -> Result<Arc<Live>, Failure> {
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
        // Whoever waited for an attempt shares its outcome: else each of many callers would try in turn, past
        // its deadline.
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
            let failure = match self.topology.connect(&self.dialing()).await {
                Ok((link, at)) => return self.keep(link, at),
                Err(failure) => failure,
            };
            tried += 1;
            // Of one that answers that it is full, more is known than of one that does not answer.
            let is_full = matches!(&failure, Failure::Refused(error) if error.is_full());
            let given = matches!(self.topology, Topology::Standalone(_)) && !is_full;
            if !self.topology.may_recover(&failure) || (given && tried >= DIALS) || !deadline::pause().await {
                return Err(failure);
            }
            if self.closed.load(Ordering::Acquire) {
                return Err(Failure::Closed);
            }
        }
    }

    pub(super) fn dialing(&self) -> Dialing<'_> {
        Dialing { dialer: &*self.dialer, timeout: self.connect_timeout }
    }

    pub(super) fn number(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Unless the store was closed meanwhile: closing ends the link that it finds under the lock.
    fn keep(&self, link: Box<dyn Link>, at: Address) -> Result<Arc<Live>, Failure> {
        let mut current = self.current();
        if self.closed.load(Ordering::Acquire) {
            link.kill();
            return Err(Failure::Closed);
        }
        let live = Arc::new(Live::new(link, at, self.number()));
        *current = Some(Arc::clone(&live));
        Ok(live)
    }
}

#[cfg(all(test, any(feature = "redis-rs", feature = "fred")))]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::time::Duration;

    use super::*;
    use crate::address::Address;
    use crate::connection::Access;
    use crate::driver::tests::DRIVERS;
    use crate::error::Cause;
    use crate::options::Options;
    use crate::options::{Driver, Login, Place, Secret};
    use crate::reply::Command;

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
        let mut options = Options::new(Place::At(Address::Tcp { host: "127.0.0.1".into(), port }));
        options.login = Login { username: None, password: Some(Secret::new("x")) };
        options.driver = Some(driver);
        options.connect_timeout = Duration::from_secs(30);
        (listener, Connection::new(&options, None).unwrap())
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
            // There is time for more than one attempt.
            let unhanded = AtomicBool::new(false);
            let calls = deadline::within(Duration::from_secs(30), &unhanded, async { Ok(calls.await) });
            tokio::select! {
                () = hanging_up => {}
                answers = calls => for answer in answers.unwrap() {
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
