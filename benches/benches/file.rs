//! The file backend, beside writing the same bytes to the disk just as safely and with nothing of the
//! contract.
//!
//! Read the ratios of one run; absolute times are the disk's.

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::Arc;

use divan::{Bencher, black_box};
use flags_benches::flag;
use flags_core::storage::{Batch, Expect};
use flags_core::{FlagKey, FlagStore, Storage as _};
use flags_file::FileStorage;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// A file of so many flags.
struct Fixture {
    runtime: Runtime,
    directory: tempfile::TempDir,
    storage: FileStorage,
}

impl Fixture {
    fn new(flags: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flags.json");
        let storage = runtime.block_on(FileStorage::open(&path)).expect("opened");
        for first in (0..flags).step_by(1_000) {
            let batch =
                (first..flags.min(first + 1_000)).fold(Batch::new(), |b, n| b.put(flag(n), Expect::Absent));
            runtime.block_on(storage.commit(batch)).expect("committed");
        }
        Self { runtime, directory, storage }
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.storage.path()).expect("the file")
    }

    /// Another flag each time, so that every commit changes something.
    fn edit(&self, storage: &FileStorage, n: usize) {
        let mut flag = flag(0);
        flag.id = "00000000-0000-4000-8000-000000000001".parse().expect("an id");
        flag.key = FlagKey::new("edited").expect("a key");
        flag.description = Some(n.to_string());
        let batch = Batch::new().put(flag, Expect::Any);
        self.runtime.block_on(storage.commit(batch)).expect("committed");
    }
}

#[divan::bench(args = [1_000, 10_000], sample_count = 30, sample_size = 1)]
fn write_sync_and_rename_the_same_bytes(bencher: Bencher<'_, '_>, flags: usize) {
    let fixture = Fixture::new(flags);
    let bytes = fixture.bytes();
    let (draft, path) = (fixture.directory.path().join("raw.tmp"), fixture.directory.path().join("raw"));
    let directory = File::open(fixture.directory.path()).expect("a directory");
    bencher.bench_local(|| {
        let mut file = File::create(&draft).expect("created");
        file.write_all(&bytes).expect("written");
        file.sync_all().expect("synced");
        fs::rename(&draft, &path).expect("renamed");
        directory.sync_all().expect("synced");
    });
}

#[divan::bench(args = [1_000, 10_000], sample_count = 30, sample_size = 1)]
fn commit_to_a_file_of(bencher: Bencher<'_, '_>, flags: usize) {
    let fixture = Fixture::new(flags);
    let mut n = 0;
    bencher.bench_local(|| {
        n += 1;
        fixture.edit(&fixture.storage, n);
    });
}

#[divan::bench(args = [1_000, 10_000], sample_count = 30, sample_size = 1)]
fn read_what_another_opening_committed_to_a_file_of(bencher: Bencher<'_, '_>, flags: usize) {
    let fixture = Fixture::new(flags);
    let theirs = fixture.runtime.block_on(FileStorage::open(fixture.storage.path())).expect("opened");
    let store = FlagStore::new(Arc::new(fixture.storage.clone()));
    let key = FlagKey::new("edited").expect("a key");
    let mut n = 0;
    bencher
        .with_inputs(|| {
            n += 1;
            fixture.edit(&theirs, n);
        })
        .bench_local_values(|()| fixture.runtime.block_on(store.get_flag(&key)).expect("read"));
}

#[divan::bench(args = [1_000, 10_000])]
fn get_flag_from_a_file_of(bencher: Bencher<'_, '_>, flags: usize) {
    let fixture = Fixture::new(flags);
    let store = FlagStore::new(Arc::new(fixture.storage.clone()));
    let key = FlagKey::new("flag-000500").expect("a key");
    bencher.bench_local(|| fixture.runtime.block_on(store.get_flag(black_box(&key))).expect("read"));
}

#[divan::bench]
fn ask_the_file_system_whether_a_file_changed(bencher: Bencher<'_, '_>) {
    let fixture = Fixture::new(1);
    bencher.bench_local(|| fs::metadata(black_box(fixture.storage.path())).expect("the file"));
}
