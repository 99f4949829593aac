//! [`Known`]: the servers that can be asked where another one is.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::Address;

/// How many are kept.
const MOST: usize = 64;

/// Those that answered last come first, and those that did not come last.
#[derive(Debug)]
pub(super) struct Known(Mutex<VecDeque<Address>>);

impl Known {
    pub(super) fn new(addresses: &[Address]) -> Self {
        Self(Mutex::new(addresses.iter().cloned().collect()))
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Address>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In the order in which to ask.
    pub(super) fn all(&self) -> Vec<Address> {
        self.list().iter().cloned().collect()
    }

    pub(super) fn answered(&self, address: &Address) {
        let mut list = self.list();
        list.retain(|known| known != address);
        list.push_front(address.clone());
    }

    pub(super) fn failed(&self, address: &Address) {
        let mut list = self.list();
        if let Some(place) = list.iter().position(|known| known == address) {
            let last = list.remove(place);
            list.extend(last);
        }
    }

    /// Others of their kind, as one of them named them.
    pub(super) fn learn(&self, addresses: impl IntoIterator<Item = Address>) {
        let mut list = self.list();
        for address in addresses {
            if list.len() < MOST && !list.contains(&address) {
                list.push_back(address);
            }
        }
    }
}
