//! Following the server of a store, over a connection of its own.

use tokio::sync::mpsc;

use super::Connection;
use crate::address::Address;
use crate::driver::{Follow, Link, Push};
use crate::error::{Cause, Failure};

/// A connection that is told of changes. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) link: Box<dyn Link>,
    /// The server.
    pub(crate) at: Address,
    pub(crate) pushes: mpsc::UnboundedReceiver<Push>,
}

impl Connection {
    /// Follows the server that commands go to now; what is told from then on concerns keys that begin with one of the prefixes.
    pub(crate) async fn follow(&self, prefixes: Vec<String>) -> Result<Followed, Failure> {
        let at = self.link().await?.at().clone();
        let (to, pushes) = mpsc::unbounded_channel();
        let target = self.topology.target(at.clone());
        let dialing = self.dialer.dial(&target, Some(Follow { prefixes, to }));
        match tokio::time::timeout(self.connect_timeout, dialing).await {
            Ok(Ok(link)) => Ok(Followed { link, at, pushes }),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::NotSent(Cause::Timeout(self.connect_timeout))),
        }
    }

    /// The server that commands go to, if there is a connection.
    pub(crate) fn leads_to(&self) -> Option<Address> {
        self.current().as_ref().map(|live| live.at().clone())
    }
}
