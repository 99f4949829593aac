//! The master of one slot of a cluster.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use flags_core::{Error, ErrorKind, Result};

use super::known::Known;
use super::{Dialing, Peers, Verdict};
use crate::address::Address;
use crate::driver::{Link, Target};
use crate::error::{Cause, Failure};
use crate::options::Options;
use crate::reply::{Command, Reply, ServerError};

const SLOTS: u16 = 16_384;

#[derive(Debug)]
pub(crate) struct Cluster {
    nodes: Known,
    slot: u16,
    peers: Peers,
    /// Who is said to have the slot now.
    preferred: Mutex<Option<Address>>,
}

impl Cluster {
    pub(super) fn new(options: &Options, nodes: &[Address], tag: Option<&str>) -> Result<Self> {
        let Some(tag) = tag else {
            let reason = "in a cluster the prefix holds a hash tag, which keeps everything on one node, so that a commit is \
                          atomic; write {feature_flags}: for example";
            return Err(Error::new(ErrorKind::Invalid, reason).with_field("prefix"));
        };
        if options.db != 0 {
            let reason =
                "a cluster has no database but 0; leave the number out, and choose another prefix instead";
            return Err(Error::new(ErrorKind::Invalid, reason).with_field("db"));
        }
        let slot = crc16::State::<crc16::XMODEM>::calculate(tag.as_bytes()) % SLOTS;
        let peers = Peers::new(options, nodes)?;
        Ok(Self { nodes: Known::new(nodes), slot, peers, preferred: Mutex::new(None) })
    }

    pub(super) fn target(&self, address: Address) -> Target {
        self.peers.target(address)
    }

    pub(super) fn prefer(&self, address: Address) {
        self.nodes.learn([address.clone()]);
        *self.preferred.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// Asks the nodes in turn until one names a master that can be reached.
    pub(super) async fn connect(&self, dialing: &Dialing<'_>) -> Result<(Box<dyn Link>, Address), Failure> {
        let preferred = self.preferred.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut tried = Vec::new();
        if let Some(address) = preferred {
            if let Ok(link) = dialing.dial(&self.target(address.clone())).await {
                return Ok((link, address));
            }
            tried.push(address);
        }
        let mut failure = Failure::NotSent(Cause::Astray("no node is known".to_owned()));
        for node in self.nodes.all() {
            self.nodes.failed(&node);
            let master = match self.ask(dialing, &node).await {
                Ok(master) => master,
                Err(failed) => {
                    failure = failed;
                    continue;
                }
            };
            if tried.contains(&master) {
                continue;
            }
            match dialing.dial(&self.target(master.clone())).await {
                Ok(link) => {
                    self.nodes.answered(&node);
                    return Ok((link, master));
                }
                Err(failed) => failure = failed,
            }
            self.nodes.failed(&master);
            tried.push(master);
        }
        Err(failure)
    }

    /// The master of the slot, as that node sees it. Every version has `CLUSTER SLOTS`; 6.2 has no
    /// `CLUSTER SHARDS`.
    async fn ask(&self, dialing: &Dialing<'_>, node: &Address) -> Result<Address, Failure> {
        let asked = dialing.ask(&self.target(node.clone()), &[Command::new("CLUSTER").arg("SLOTS")]).await?;
        let ranges = match asked.into_iter().next().unwrap_or(Reply::Nil) {
            Reply::Error(refusal) => return Err(Failure::Refused(refusal)),
            Reply::List(ranges) => ranges,
            _ => Vec::new(),
        };
        let mut master = None;
        for (first, last, nodes) in ranges.into_iter().filter_map(range) {
            let named = nodes.into_iter().filter_map(|facts| self.named(facts, node));
            let mut named = named.collect::<Vec<_>>().into_iter();
            if (first..=last).contains(&i64::from(self.slot)) {
                master = named.as_slice().first().cloned();
            }
            self.nodes.learn(&mut named);
        }
        master.ok_or_else(|| {
            let reason = format!("no node serves slot {}, says {node}", self.slot);
            Failure::NotSent(Cause::Astray(reason))
        })
    }

    /// Host, port, id, and from 7.0 on more.
    fn named(&self, facts: Reply, asked: &Address) -> Option<Address> {
        let mut facts = facts.list().ok()?.into_iter();
        let host = match facts.next()? {
            Reply::Bytes(host) => String::from_utf8(host).ok()?,
            _ => String::new(),
        };
        let port = u16::try_from(facts.next()?.int().ok()?).ok()?;
        let more = facts.nth(1);
        // Certificates are seldom for addresses.
        let wants_name = self.peers.tls.is_some() && host.parse::<IpAddr>().is_ok();
        let host = more.filter(|_| wants_name).and_then(hostname).unwrap_or(host);
        Some(beside(host, port, asked))
    }
}

/// An empty host is that of the node that names it.
fn beside(host: String, port: u16, asked: &Address) -> Address {
    let host = match asked {
        Address::Tcp { host: own, .. } if host.is_empty() || host == "?" => own.clone(),
        _ => host,
    };
    Address::Tcp { host, port }
}

/// First slot, last slot, nodes.
fn range(reply: Reply) -> Option<(i64, i64, std::vec::IntoIter<Reply>)> {
    let mut parts = reply.list().ok()?.into_iter();
    Some((parts.next()?.int().ok()?, parts.next()?.int().ok()?, parts))
}

fn hostname(more: Reply) -> Option<String> {
    let mut facts = more.list().ok()?.into_iter();
    while let (Some(name), Some(value)) = (facts.next(), facts.next()) {
        if name == Reply::Bytes(b"hostname".to_vec()) {
            return value.text().ok().filter(|name| !name.is_empty());
        }
    }
    None
}

pub(super) fn verdict(error: &ServerError, from: &Address) -> Option<Verdict> {
    match error.code.as_str() {
        "MOVED" => Some(redirection(&error.message, from).map_or(Verdict::Elsewhere, Verdict::Moved)),
        "ASK" => Some(redirection(&error.message, from).map_or(Verdict::Later, Verdict::Ask)),
        "TRYAGAIN" => Some(Verdict::Later),
        _ => super::is_passing(error).then_some(Verdict::Elsewhere),
    }
}

/// `slot host:port`.
fn redirection(message: &str, from: &Address) -> Option<Address> {
    let (host, port) = message.split(' ').nth(1)?.rsplit_once(':')?;
    Some(beside(host.to_owned(), port.parse().ok()?, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_names_a_server_or_the_same_host() {
        let at = |host: &str, port| Address::Tcp { host: host.to_owned(), port };
        let error = |code: &str, message: &str| verdict(&ServerError::new(code, message), &at("own", 1));
        assert_eq!(error("MOVED", "3999 10.0.0.1:6381"), Some(Verdict::Moved(at("10.0.0.1", 6381))));
        assert_eq!(error("MOVED", "3999 :6381"), Some(Verdict::Moved(at("own", 6381))));
        assert_eq!(error("ASK", "3999 ::1:6381"), Some(Verdict::Ask(at("::1", 6381))));
        assert_eq!(error("MOVED", "what"), Some(Verdict::Elsewhere));
        assert_eq!(error("WRONGTYPE", "x"), None);
    }
}
