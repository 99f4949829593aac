//! Where the server of a store is: a topology finds an address, and the rest speaks to one server.

mod standalone;

use flags_core::Result;

use crate::driver::Target;
use crate::error::Failure;
use crate::options::Options;
use standalone::Standalone;

/// How the server is found.
#[derive(Debug)]
pub(crate) enum Topology {
    /// It is the one that was named.
    Standalone(Standalone),
}

impl Topology {
    /// # Errors
    ///
    /// `Invalid` for options that cannot be.
    pub(crate) fn new(options: &Options) -> Result<Self> {
        Standalone::new(options).map(Self::Standalone)
    }

    /// Where the server is now.
    pub(crate) async fn locate(&self) -> Result<Target, Failure> {
        match self {
            Self::Standalone(standalone) => Ok(standalone.target().clone()),
        }
    }
}
