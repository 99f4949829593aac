//! [`HashTrie`]: a hash map of which a copy is one pointer, and a changed copy shares nearly all with the first.
//!
//! Branches of sixteen lead to small hash tables. A change copies the branches on the way and one table; a
//! lookup in ten thousand follows two or three pointers more than one table would need.
//!
//! `rpds::HashTrieSet` in its place, with the same hasher, took 5 ns more for a decision among ten thousand
//! flags (27 for 22, 43 for 37), a quarter more to decide all of a thousand, and half more to edit an
//! override of many; `imbl` is not under a licence that `deny.toml` allows.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, LazyLock};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// What is found by a part of itself.
pub(crate) trait Keyed: Clone {
    type Key: Hash + Eq + ?Sized;
    fn key(&self) -> &Self::Key;
}

#[derive(Clone)]
pub(crate) struct HashTrie<T> {
    root: Link<T>,
    len: usize,
}

#[derive(Clone)]
enum Link<T> {
    Empty,
    Leaf(Arc<HashTable<T>>),
    Branch(Arc<[Link<T>; BRANCHES]>),
}

const BRANCHES: usize = 1 << BITS;
/// How many bits of a hash choose a branch.
const BITS: u32 = 4;
/// The bits between these choose branches; the lowest and the highest ones are what a table looks at.
const LOWEST: u32 = 8;
const HIGHEST: u32 = 56;
/// What a table of 32 buckets holds. Past it a leaf becomes a branch.
const LEAF: usize = 28;

/// One for all, since rulesets are made from each other; random, so that keys chosen beforehand do not
/// collide. Ones that do all the same share a table, and are told apart one by one.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

fn hash(key: &(impl Hash + ?Sized)) -> u64 {
    HASHER.hash_one(key)
}

fn branch(hash: u64, shift: u32) -> usize {
    (hash >> shift) as usize % BRANCHES
}

impl<T> Default for HashTrie<T> {
    fn default() -> Self {
        Self { root: Link::Empty, len: 0 }
    }
}

impl<T: Keyed> HashTrie<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get(&self, key: &T::Key) -> Option<&T> {
        let hash = hash(key);
        let (mut link, mut shift) = (&self.root, LOWEST);
        loop {
            match link {
                Link::Empty => return None,
                Link::Leaf(table) => return table.find(hash, |each| each.key() == key),
                Link::Branch(branches) => {
                    link = &branches[branch(hash, shift)];
                    shift += BITS;
                }
            }
        }
    }

    /// Puts a value in the place of the one with the same key, which is returned.
    pub(crate) fn insert(&mut self, value: T) -> Option<T> {
        let before = self.root.insert(hash(value.key()), LOWEST, value);
        self.len += usize::from(before.is_none());
        before
    }

    pub(crate) fn remove(&mut self, key: &T::Key) -> Option<T> {
        // Where there is nothing to remove, nothing is to be copied.
        self.get(key)?;
        let removed = self.root.remove(hash(key), LOWEST, key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// In no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        Iter { links: vec![std::slice::from_ref(&self.root).iter()], table: None }
    }
}

impl<T: Keyed> Link<T> {
    fn insert(&mut self, hash: u64, shift: u32, value: T) -> Option<T> {
        match self {
            Self::Empty => {
                let mut table = HashTable::with_capacity(1);
                table.insert_unique(hash, value, rehash);
                *self = Self::Leaf(Arc::new(table));
                None
            }
            Self::Branch(branches) => {
                Arc::make_mut(branches)[branch(hash, shift)].insert(hash, shift + BITS, value)
            }
            Self::Leaf(table) => {
                let table = Arc::make_mut(table);
                match table.entry(hash, |each| each.key() == value.key(), rehash) {
                    Entry::Occupied(mut place) => return Some(std::mem::replace(place.get_mut(), value)),
                    Entry::Vacant(place) => place.insert(value),
                };
                if table.len() > LEAF && shift < HIGHEST {
                    *self = Self::split(std::mem::take(table), shift);
                }
                None
            }
        }
    }

    fn split(table: HashTable<T>, shift: u32) -> Self {
        let mut branches = std::array::from_fn(|_| Self::Empty);
        for value in table {
            let hash = rehash(&value);
            branches[branch(hash, shift)].insert(hash, shift + BITS, value);
        }
        Self::Branch(Arc::new(branches))
    }

    fn remove(&mut self, hash: u64, shift: u32, key: &T::Key) -> Option<T> {
        let (removed, emptied) = match self {
            Self::Empty => return None,
            Self::Branch(branches) => {
                let branches = Arc::make_mut(branches);
                let removed = branches[branch(hash, shift)].remove(hash, shift + BITS, key);
                (removed, branches.iter().all(|link| matches!(link, Self::Empty)))
            }
            Self::Leaf(table) => {
                let table = Arc::make_mut(table);
                let found = table.find_entry(hash, |each| each.key() == key).ok();
                (found.map(|found| found.remove().0), table.is_empty())
            }
        };
        if emptied {
            *self = Self::Empty;
        }
        removed
    }
}

fn rehash<T: Keyed>(value: &T) -> u64 {
    hash(value.key())
}

struct Iter<'a, T> {
    /// What is left of each branch on the way, the outermost first.
    links: Vec<std::slice::Iter<'a, Link<T>>>,
    table: Option<hashbrown::hash_table::Iter<'a, T>>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        loop {
            if let Some(value) = self.table.as_mut().and_then(Iterator::next) {
                return Some(value);
            }
            match self.links.last_mut()?.next() {
                None => _ = self.links.pop(),
                Some(Link::Empty) => {}
                Some(Link::Leaf(table)) => self.table = Some(table.iter()),
                Some(Link::Branch(branches)) => self.links.push(branches.iter()),
            }
        }
    }
}

impl<T: Keyed + fmt::Debug> fmt::Debug for HashTrie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::hash::Hasher;

    use proptest::prelude::*;

    use super::*;

    /// A key whose hash is the same for all of them, and what was put under it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Colliding(u16);

    impl Hash for Colliding {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }

    impl Keyed for (Colliding, usize) {
        type Key = Colliding;
        fn key(&self) -> &Colliding {
            &self.0
        }
    }

    impl Keyed for (u16, usize) {
        type Key = u16;
        fn key(&self) -> &u16 {
            &self.0
        }
    }

    proptest! {
        /// Each version of it is what a plain map was at that time, whatever later versions do.
        #[test]
        fn every_version_stays_what_it_was(
            steps in prop::collection::vec((0_u16..600, prop::bool::weighted(0.7)), 0..3_000)
        ) {
            let (mut trie, mut map) = (HashTrie::default(), BTreeMap::new());
            let mut versions = Vec::new();
            for (number, (key, put)) in steps.into_iter().enumerate() {
                if put {
                    prop_assert_eq!(trie.insert((key, number)).map(|old| old.1), map.insert(key, number));
                } else {
                    prop_assert_eq!(trie.remove(&key).map(|old: (u16, usize)| old.1), map.remove(&key));
                }
                prop_assert_eq!(trie.len(), map.len());
                if number % 500 == 0 {
                    versions.push((trie.clone(), map.clone()));
                }
            }
            versions.push((trie, map));
            for (trie, map) in versions {
                let all: BTreeMap<u16, usize> = trie.iter().copied().collect();
                prop_assert_eq!(trie.iter().count(), map.len());
                prop_assert!(map.keys().all(|key| trie.get(key).is_some()));
                prop_assert_eq!(all, map);
            }
        }
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let mut trie = HashTrie::default();
        for number in 0..200 {
            trie.insert((Colliding(number), usize::from(number)));
        }
        assert_eq!(trie.len(), 200);
        for number in 0..200 {
            assert_eq!(trie.get(&Colliding(number)).map(|found| found.1), Some(usize::from(number)));
            assert!(trie.remove(&Colliding(number)).is_some());
        }
        assert!(trie.is_empty() && trie.iter().next().is_none() && trie.remove(&Colliding(0)).is_none());
    }
}
