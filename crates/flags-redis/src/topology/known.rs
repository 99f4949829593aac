//! [`Known`]: the servers that can be asked where another one is.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::address::Address;

/// How many are kept.
const MOST: usize = 64;

/// Those that answered last come first, and those that did not come last.
#[derive(Debug)]
pub(super) struct Known {
    /// Those that the application named. They are never given up: behind a name there may be another one by
    /// now.
    named: Vec<Address>,
    list: Mutex<VecDeque<Address>>,
}

impl Known {
    pub(super) fn new(addresses: &[Address]) -> Self {
        Self { named: addresses.to_vec(), list: Mutex::new(addresses.iter().cloned().collect()) }
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Address>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Said of one before it is asked as well: a caller who gives up in the middle leaves another one to the
    /// next caller.
    pub(super) fn failed(&self, address: &Address) {
        let mut list = self.list();
        if let Some(place) = list.iter().position(|known| known == address) {
            let last = list.remove(place);
            list.extend(last);
        }
    }

    /// Others of their kind, as one of them named them. Where there is no room, those that failed make it:
    /// servers come and go, and those that are there now must not be kept out by those that were.
    pub(super) fn learn(&self, addresses: impl IntoIterator<Item = Address>) {
        let addresses: Vec<Address> = addresses.into_iter().collect();
        let mut list = self.list();
        for address in &addresses {
            if list.contains(address) {
                continue;
            }
            if list.len() >= MOST {
                let stays = |known: &Address| self.named.contains(known) || addresses.contains(known);
                let Some(place) = list.iter().rposition(|known| !stays(known)) else { return };
                list.remove(place);
            }
            list.push_back(address.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: usize) -> Address {
        Address::Tcp { host: host.to_string(), port: 1 }
    }

    #[test]
    fn servers_that_are_there_now_take_the_place_of_those_that_were() {
        let known = Known::new(&[at(0)]);
        known.learn((1..MOST).map(at));
        known.failed(&at(0));
        known.learn((MOST..MOST + 3).map(at));
        let all = known.all();
        assert_eq!(all.len(), MOST);
        for there in [0, MOST, MOST + 1, MOST + 2] {
            assert!(all.contains(&at(there)), "{there}");
        }
        // More than there is room for at once.
        known.learn((1000..2000).map(at));
        assert_eq!(known.all().len(), MOST);
        assert!(known.all().contains(&at(0)));
    }
}
