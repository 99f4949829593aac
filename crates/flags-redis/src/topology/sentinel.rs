//! The master that sentinels name.

use std::collections::HashMap;

use flags_core::Result;

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
}

impl Sentinel {
    pub(super) fn new(options: &Options, sentinels: &[Address], master: &str, login: &Login) -> Result<Self> {
        let peers = Peers::new(options, sentinels)?;
        let asking = Peers { tls: peers.tls.clone(), login: login.clone(), db: 0 };
        Ok(Self { sentinels: Known::new(sentinels), master: master.to_owned(), asking, peers })
    }

    pub(super) fn target(&self, address: Address) -> Target {
        self.peers.target(address)
    }

    /// Asks the sentinels in turn until one names a server that says itself that it is the master: one that was cut off names
    /// a former one.
    pub(super) async fn connect(&self, dialing: &Dialing<'_>) -> Result<(Box<dyn Link>, Address), Failure> {
        let mut tried = Vec::new();
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
            if tried.contains(&named) {
                continue;
            }
            match self.dial(dialing, &named).await {
                Ok(link) => {
                    self.sentinels.answered(&sentinel);
                    return Ok((link, named));
                }
                Err(failed) => failure = failed,
            }
            tried.push(named);
        }
        Err(failure)
    }

    async fn ask(&self, dialing: &Dialing<'_>, sentinel: &Address) -> Result<Address, Failure> {
        let about = |what| Command::new("SENTINEL").arg(what).arg(self.master.as_str());
        let commands = [about("GET-MASTER-ADDR-BY-NAME"), about("SENTINELS")];
        let replies = dialing.ask(&self.asking.target(sentinel.clone()), &commands).await?;
        let mut replies = replies.into_iter();
        let master = match replies.next().unwrap_or(Reply::Nil) {
            Reply::Error(refusal) => return Err(Failure::Refused(refusal)),
            Reply::List(parts) => pair(parts),
            _ => None,
        };
        let others = replies.next().and_then(|reply| reply.list().ok()).unwrap_or_default();
        self.sentinels.learn(others.into_iter().filter_map(described));
        master.ok_or_else(|| {
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

/// Where a sentinel is, of which another one tells all that it knows: name, value, name, value.
fn described(reply: Reply) -> Option<Address> {
    let parts = reply.list().ok()?;
    let mut facts = HashMap::new();
    let mut parts = parts.into_iter();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        facts.insert(name.text().ok()?, value);
    }
    address(facts.remove("ip")?, facts.remove("port")?)
}
