//! The memory backend, beside a plain map under a lock that keeps nothing of the contract.
//!
//! Read the ratios of one run; absolute times are the machine's.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use divan::{Bencher, black_box};
use flags_benches::flag;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{FlagKey, FlagStore, Key, Kind, Record, Storage};
use flags_memory::MemoryStorage;
use futures_util::{FutureExt, StreamExt};

const FLAGS: usize = 1_000;

fn main() {
    divan::main();
}

/// The memory backend never waits, so there is nothing to await.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory never waits")
}

fn storage(flags: usize) -> MemoryStorage {
    let storage = MemoryStorage::new();
    for n in 0..flags {
        now(storage.commit(Batch::new().put(flag(n), Expect::Absent))).expect("committed");
    }
    storage
}

fn key(n: usize) -> FlagKey {
    FlagKey::new(format!("flag-{n:06}")).expect("a key")
}

#[divan::bench]
fn get_one_from_a_map_under_a_lock(bencher: Bencher<'_, '_>) {
    let map: HashMap<Key, Record> = (0..FLAGS).map(|n| Record::from(flag(n))).map(|r| (r.key(), r)).collect();
    let map = RwLock::new(map);
    let key = Key::Flag(key(FLAGS / 2));
    bencher.bench(|| map.read().expect("not poisoned").get(black_box(&key)).cloned());
}

#[divan::bench]
fn get_one_from_storage(bencher: Bencher<'_, '_>) {
    let storage = storage(FLAGS);
    let keys = [Key::Flag(key(FLAGS / 2))];
    bencher.bench(|| now(storage.get(black_box(&keys))));
}

#[divan::bench]
fn get_flag(bencher: Bencher<'_, '_>) {
    let store = FlagStore::new(Arc::new(storage(FLAGS)));
    let key = key(FLAGS / 2);
    bencher.bench(|| now(store.get_flag(black_box(&key))));
}

#[divan::bench(args = [100, 10_000])]
fn list_all(bencher: Bencher<'_, '_>, flags: usize) {
    let storage = storage(flags);
    bencher.bench(|| now(storage.list(Query::All(Kind::Flag)).count()));
}

#[divan::bench(args = [1, 10_000])]
fn update_one_flag_of(bencher: Bencher<'_, '_>, flags: usize) {
    let storage = storage(flags);
    let flag = flag(0);
    bencher.bench(|| now(storage.commit(Batch::new().put(flag.clone(), Expect::Present))));
}
