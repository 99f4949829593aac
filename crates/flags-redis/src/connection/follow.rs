//! Following the server of a store, over a connection of its own.

use std::sync::PoisonError;

use tokio::sync::mpsc;

use super::{Connection, Live};
use crate::driver::{Follow, Link, Push};
use crate::error::{Cause, Failure};

/// A connection that is told of changes. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) link: Box<dyn Link>,
    /// The number of the connection that commands went to the server by when this one was begun. By another
    /// one they may go to another server, also where the address is the same: a name may lead elsewhere by
    /// then.
    pub(crate) beside: u64,
    pub(crate) pushes: mpsc::UnboundedReceiver<Push>,
}

impl Connection {
    /// Follows the server that commands go to now; what is told from then on concerns keys that begin with
    /// one of the prefixes.
    pub(crate) async fn follow(&self, prefixes: Vec<String>) -> Result<Followed, Failure> {
        let live = self.link().await?;
        self.follow_beside(&live, prefixes).await
    }

    /// Follows the server that is getting the keys, to which that connection leads.
    pub(crate) async fn follow_importing(
        &self,
        number: u64,
        prefixes: Vec<String>,
    ) -> Result<Followed, Failure> {
        let importing = self.importing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match importing.filter(|live| live.number() == number) {
            Some(live) => self.follow_beside(&live, prefixes).await,
            None => Err(Failure::NotSent(Cause::broken("the keys have moved"))),
        }
    }

    /// No keys are moving: the connection to where they were going is given up. Whoever waits for an answer
    /// on it gets it.
    pub(crate) fn leave_importing(&self) {
        self.importing.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    async fn follow_beside(&self, live: &Live, prefixes: Vec<String>) -> Result<Followed, Failure> {
        let (to, pushes) = mpsc::unbounded_channel();
        let target = self.topology.target(live.at().clone());
        let dialing = self.dialer.dial(&target, Some(Follow { prefixes, to }));
        match tokio::time::timeout(self.connect_timeout, dialing).await {
            Ok(Ok(link)) => Ok(Followed { link, beside: live.number(), pushes }),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::NotSent(Cause::Timeout(self.connect_timeout))),
        }
    }

    /// Asks those who know whether another server has taken the place of the one that commands go to; the
    /// next connection leads there.
    pub(crate) async fn look_around(&self) {
        let Some(live) = self.live() else { return };
        if self.topology.leads_elsewhere(&self.dialing(), live.at()).await {
            self.retire(live.number());
        }
    }

    /// The number of the connection that commands go by now, if there is one.
    pub(crate) fn current_number(&self) -> Option<u64> {
        self.current().as_ref().map(|live| live.number())
    }
}
