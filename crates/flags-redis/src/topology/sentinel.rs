//! The master that sentinels name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use flags_core::Result;
use futures_util::future::join_all;

use super::known::Known;
use super::{Dialing, Peers, address};
use crate::address::Address;
use crate::driver::{Link, Target};
use crate::error::{Cause, Failure};
use crate::options::{Login, Options};
use crate::reply::{Command, Reply, ServerError, Useless};

#[derive(Debug)]
pub(crate) struct Sentinel {
    sentinels: Known,
    /// By what name they know the master.
    master: String,
    /// To the sentinels.
    asking: Peers,
    /// To the master.
    peers: Peers,
    /// Of the last failover that any sentinel has told of.
    epoch: AtomicU64,
}

/// Whom a sentinel names.
#[derive(Debug)]
struct Named {
    master: Address,
    /// Failovers are numbered: whoever was cut off knows a lower one, and names a former master. `None` where
    /// it does not tell.
    epoch: Option<u64>,
}

impl Sentinel {
    pub(super) fn new(options: &Options, sentinels: &[Address], master: &str, login: &Login) -> Result<Self> {
        let peers = Peers::new(options, sentinels)?;
        let asking = Peers { tls: peers.tls.clone(), login: login.clone(), db: 0 };
        let (sentinels, master) = (Known::new(sentinels), master.to_owned());
        Ok(Self { sentinels, master, asking, peers, epoch: AtomicU64::new(0) })
    }

    pub(super) fn target(&self, address: Address) -> Target {
        self.peers.target(address)
    }

    /// Asks the sentinels in turn until one names a server that says itself that it is the master. One that
    /// was cut off, with a former master that knows no better, is believed only where no other sentinel leads
    /// anywhere.
    pub(super) async fn connect(&self, dialing: &Dialing<'_>) -> Result<(Box<dyn Link>, Address), Failure> {
        let (mut tried, mut outdated) = (Vec::new(), Vec::new());
        let mut failure = Failure::NotSent(Cause::Astray("no sentinel is known".to_owned()));
        for sentinel in self.sentinels.all() {
            self.sentinels.failed(&sentinel);
            let named = match self.ask(dialing, &sentinel).await {
                Ok(named) => named,
                Err(failed) => {
                    failure = failed;
                    continue;
                }
            };
            if self.is_outdated(&named) {
                outdated.push(named);
                continue;
            }
            if tried.contains(&named.master) {
                continue;
            }
            match self.dial(dialing, &named.master).await {
                Ok(link) => {
                    self.sentinels.answered(&sentinel);
                    return Ok((link, named.master));
                }
                Err(failed) => failure = failed,
            }
            tried.push(named.master);
        }
        outdated.sort_by_key(|named| std::cmp::Reverse(named.epoch));
        for Named { master, epoch } in outdated {
            if tried.contains(&master) {
                continue;
            }
            match self.dial(dialing, &master).await {
                Ok(link) => {
                    // Sentinels that were set up anew count anew.
                    self.epoch.store(epoch.unwrap_or_default(), Ordering::Relaxed);
                    return Ok((link, master));
                }
                Err(failed) => failure = failed,
            }
            tried.push(master);
        }
        Err(failure)
    }

    /// Whether the sentinels that know of the last failover name another master than that one. All of them
    /// are asked: the one that answered last may have been cut off together with the master that it named.
    pub(super) async fn names_another(&self, dialing: &Dialing<'_>, than: &Address) -> bool {
        let sentinels = self.sentinels.all();
        let asked = sentinels.iter().map(|sentinel| self.ask(dialing, sentinel));
        let named: Vec<Named> = join_all(asked).await.into_iter().flatten().collect();
        let newest = named.iter().filter(|named| named.epoch.is_some() && !self.is_outdated(named));
        let newest: Vec<&Address> = newest.map(|named| &named.master).collect();
        // Some may call the same server by another name.
        !newest.is_empty() && !newest.contains(&than)
    }

    fn is_outdated(&self, named: &Named) -> bool {
        named.epoch.is_some_and(|epoch| epoch < self.epoch.load(Ordering::Relaxed))
    }

    async fn ask(&self, dialing: &Dialing<'_>, sentinel: &Address) -> Result<Named, Failure> {
        let about = |what| Command::new("SENTINEL").arg(what).arg(self.master.as_str());
        let commands = [about("GET-MASTER-ADDR-BY-NAME"), about("SENTINELS"), about("MASTER")];
        let replies = dialing.ask(&self.asking.target(sentinel.clone()), &commands).await?;
        let mut replies = replies.into_iter();
        let master = match replies.next().unwrap_or(Reply::Nil) {
            Reply::Error(refusal) => return Err(Failure::Refused(refusal)),
            Reply::List(parts) => pair(parts),
            _ => None,
        };
        let others = replies.next().and_then(|reply| reply.list().ok()).unwrap_or_default();
        self.sentinels.learn(others.into_iter().filter_map(described));
        let epoch = replies.next().and_then(epoch);
        self.epoch.fetch_max(epoch.unwrap_or_default(), Ordering::Relaxed);
        master.map(|master| Named { master, epoch }).ok_or_else(|| {
            let reason = format!("the sentinel at {sentinel} knows no master named {:?}", self.master);
            Failure::NotSent(Cause::Astray(reason))
        })
    }

    async fn dial(&self, dialing: &Dialing<'_>, named: &Address) -> Result<Box<dyn Link>, Failure> {
        let link = dialing.dial(&self.target(named.clone())).await?;
        let role =
            dialing.timed(async { link.send(&[Command::new("ROLE")]).await.map_err(Failure::NotSent) });
        match role.await?.into_iter().next().unwrap_or(Reply::Nil).list() {
            Ok(parts) => match parts.into_iter().next() {
                Some(Reply::Bytes(role)) if role == b"master" => Ok(link),
                _ => {
                    let reason = format!("the sentinels name {named}, which is no master now");
                    Err(Failure::NotSent(Cause::Astray(reason)))
                }
            },
            // A user without that permission learns it from the first write.
            Err(Useless::Server(error)) if error.is_denial() && !needs_login(&error) => Ok(link),
            Err(Useless::Server(error)) => Err(Failure::Refused(error)),
            Err(Useless::Shape(shape)) => Err(Failure::NotSent(Cause::broken(shape))),
        }
    }
}

fn needs_login(error: &ServerError) -> bool {
    error.code == "NOAUTH"
}

fn pair(parts: Vec<Reply>) -> Option<Address> {
    let mut parts = parts.into_iter();
    address(parts.next()?, parts.next()?)
}

/// Where a sentinel is, of which another one tells all that it knows.
fn described(reply: Reply) -> Option<Address> {
    let mut facts = facts(reply)?;
    address(facts.remove("ip")?, facts.remove("port")?)
}

/// The number of the last failover, in what a sentinel tells of the master.
fn epoch(reply: Reply) -> Option<u64> {
    facts(reply)?.remove("config-epoch")?.text().ok()?.parse().ok()
}

/// Name, value, name, value.
fn facts(reply: Reply) -> Option<HashMap<String, Reply>> {
    let mut parts = reply.list().ok()?.into_iter();
    let mut facts = HashMap::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        facts.insert(name.text().ok()?, value);
    }
    Some(facts)
}
