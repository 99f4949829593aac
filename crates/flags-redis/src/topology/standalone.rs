//! One server, the one that was named.

use flags_core::Result;

use crate::driver::Target;
use crate::net::tls::{Tls, check_host};
use crate::options::{Address, Options};

#[derive(Debug)]
pub(crate) struct Standalone {
    target: Target,
}

impl Standalone {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let tls = match &options.address {
            Address::Tcp { host, .. } if options.secure => {
                check_host(host)?;
                Some(Tls::new(&options.tls)?)
            }
            _ => None,
        };
        let (address, login) = (options.address.clone(), options.login.clone());
        Ok(Self { target: Target { address, tls, login, db: options.db } })
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }
}
