//! One server, the one that was named.

use flags_core::{Error, ErrorKind, Result};

use super::{Dialing, Peers};
use crate::address::Address;
use crate::driver::{Link, Target};
use crate::error::Failure;
use crate::options::Options;

#[derive(Debug)]
pub(crate) struct Standalone {
    address: Address,
    peers: Peers,
}

impl Standalone {
    pub(super) fn new(options: &Options, address: &Address) -> Result<Self> {
        if options.secure && matches!(address, Address::Unix(_)) {
            return Err(Error::new(ErrorKind::Invalid, "a socket has no TLS; leave it out").with_field("tls"));
        }
        let peers = Peers::new(options, std::slice::from_ref(address))?;
        Ok(Self { address: address.clone(), peers })
    }

    pub(super) fn target(&self) -> Target {
        self.peers.target(self.address.clone())
    }

    pub(super) async fn connect(&self, dialing: &Dialing<'_>) -> Result<(Box<dyn Link>, Address), Failure> {
        Ok((dialing.dial(&self.target()).await?, self.address.clone()))
    }
}
