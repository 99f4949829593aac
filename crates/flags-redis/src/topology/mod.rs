//! Where the server of a store is.
//!
//! All keys of a store are on one server: the one that was named, the master that sentinels name, or in a
//! cluster, where they share a hash tag, the master of one slot. So a topology finds an address and
//! understands what servers say of addresses, and everything else speaks to one server.

mod cluster;
mod known;
mod sentinel;
mod standalone;

use std::time::Duration;

use flags_core::Result;

use crate::address::Address;
use crate::driver::{Dialer, Link, Target};
use crate::error::{Cause, Failure};
use crate::net::tls::{self, Tls};
use crate::options::{Login, Options, Place};
use crate::reply::{Command, Reply, ServerError};
use cluster::Cluster;
use sentinel::Sentinel;
use standalone::Standalone;

/// How the server is found.
#[derive(Debug)]
pub(crate) enum Topology {
    /// It is the one that was named.
    Standalone(Standalone),
    /// Sentinels know.
    Sentinel(Sentinel),
    /// Every node of the cluster knows.
    Cluster(Cluster),
}

/// What an error of a server says of where to go; it proves that the command did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The same server can do it later.
    Later,
    /// Another server has to be found.
    Elsewhere,
    /// That server has it now.
    Moved(Address),
    /// That server is getting it, and has this key already.
    Ask(Address),
}

impl Topology {
    /// `tag` is the hash tag of the store's keys.
    ///
    /// # Errors
    ///
    /// `Invalid` for options that cannot be.
    pub(crate) fn new(options: &Options, tag: Option<&str>) -> Result<Self> {
        match &options.place {
            Place::At(address) => Standalone::new(options, address).map(Self::Standalone),
            Place::Sentinel { sentinels, master, login } => {
                Sentinel::new(options, sentinels, master, login).map(Self::Sentinel)
            }
            Place::Cluster { nodes } => Cluster::new(options, nodes, tag).map(Self::Cluster),
        }
    }

    /// Connects to the server, wherever it is now. One attempt.
    pub(crate) async fn connect(&self, dialing: &Dialing<'_>) -> Result<(Box<dyn Link>, Address), Failure> {
        match self {
            Self::Standalone(standalone) => standalone.connect(dialing).await,
            Self::Sentinel(sentinel) => sentinel.connect(dialing).await,
            Self::Cluster(cluster) => cluster.connect(dialing).await,
        }
    }

    /// Whether another server than that one is to be used by now, as far as those know who watch over them. A
    /// server that was replaced may not have heard of it.
    pub(crate) async fn leads_elsewhere(&self, dialing: &Dialing<'_>, than: &Address) -> bool {
        match self {
            Self::Sentinel(sentinel) => sentinel.names_another(dialing, than).await,
            // Nobody else knows, or the nodes tell it themselves.
            Self::Standalone(_) | Self::Cluster(_) => false,
        }
    }

    /// A server by its address, as it was named by another.
    pub(crate) fn target(&self, address: Address) -> Target {
        match self {
            Self::Standalone(standalone) => standalone.target(),
            Self::Sentinel(sentinel) => sentinel.target(address),
            Self::Cluster(cluster) => cluster.target(address),
        }
    }

    /// What an error of the server at `from` means. `None` where it is no matter of where the server is.
    pub(crate) fn verdict(&self, error: &ServerError, from: &Address) -> Option<Verdict> {
        match self {
            // It will be done in a moment.
            Self::Standalone(_) => (error.code == "LOADING").then_some(Verdict::Later),
            Self::Sentinel(_) => is_passing(error).then_some(Verdict::Elsewhere),
            Self::Cluster(_) => cluster::verdict(error, from),
        }
    }

    /// Where to connect first the next time.
    pub(crate) fn prefer(&self, address: Address) {
        if let Self::Cluster(cluster) = self {
            cluster.prefer(address);
        }
    }

    /// Whether an attempt to connect that failed so may do better later, which is worth waiting for: while a
    /// failover is going on.
    pub(crate) fn may_recover(&self, failure: &Failure) -> bool {
        match failure {
            Failure::NotSent(_) => true,
            Failure::Refused(error) => error.is_full() || self.may_serve_elsewhere(error),
            _ => false,
        }
    }

    /// Whether a server that answers so may be one that its name does not lead to any more: some services
    /// fail over by changing what a name leads to, and leave the connections to the former primary as they
    /// are.
    pub(crate) fn may_lead_elsewhere(&self, error: &ServerError) -> bool {
        matches!(self, Self::Standalone(_)) && matches!(error.code.as_str(), "READONLY" | "MASTERDOWN")
    }

    /// Whether a server that answers so is to be looked for anew.
    pub(crate) fn may_serve_elsewhere(&self, error: &ServerError) -> bool {
        !matches!(self, Self::Standalone(_)) && is_passing(error)
    }
}

/// A server that is no master, or not yet what it will be.
fn is_passing(error: &ServerError) -> bool {
    matches!(error.code.as_str(), "READONLY" | "MASTERDOWN" | "LOADING" | "CLUSTERDOWN")
}

/// What servers are connected to with, all of one kind.
#[derive(Debug)]
struct Peers {
    tls: Option<Tls>,
    login: Login,
    db: i64,
}

impl Peers {
    fn new(options: &Options, addresses: &[Address]) -> Result<Self> {
        if options.secure {
            for address in addresses {
                if let Address::Tcp { host, .. } = address {
                    tls::check_host(host)?;
                }
            }
        }
        let tls = options.secure.then(|| Tls::new(&options.tls)).transpose()?;
        Ok(Self { tls, login: options.login.clone(), db: options.db })
    }

    fn target(&self, address: Address) -> Target {
        Target { address, tls: self.tls.clone(), login: self.login.clone(), db: self.db }
    }
}

/// Connections that are made while a server is sought.
#[derive(Debug)]
pub(crate) struct Dialing<'a> {
    pub(crate) dialer: &'a dyn Dialer,
    /// For each server.
    pub(crate) timeout: Duration,
}

impl Dialing<'_> {
    pub(crate) async fn dial(&self, target: &Target) -> Result<Box<dyn Link>, Failure> {
        self.timed(self.dialer.dial(target, None)).await
    }

    /// Asks and hangs up.
    async fn ask(&self, target: &Target, commands: &[Command]) -> Result<Vec<Reply>, Failure> {
        let asked = async {
            let link = self.dialer.dial(target, None).await?;
            link.send(commands).await.map_err(Failure::NotSent)
        };
        self.timed(asked).await
    }

    async fn timed<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::NotSent(Cause::Timeout(self.timeout))),
        }
    }
}

/// `host:port` in two replies.
fn address(host: Reply, port: Reply) -> Option<Address> {
    let host = host.text().ok()?;
    let port = u16::try_from(port.int().ok()?).ok()?;
    Some(Address::Tcp { host, port })
}
