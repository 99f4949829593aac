//! A file of its own for every test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flags_core::storage::{Batch, BoxStream, Change, Expect, Health};
use flags_core::{Flag, FlagKey, FlagStore, Key, Storage};
use flags_file::FileStorage;
use futures_util::StreamExt;

/// How long anything may take. It tells a hang from a slow machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Fixture {
    /// A directory without a file.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flags.json");
        Self { directory, path }
    }

    /// A directory with a file of two flags, `a` and `b`, as a person would write it.
    pub(crate) fn written() -> Self {
        let fixture = Self::new();
        fs::write(&fixture.path, two_flags("")).expect("written");
        fixture
    }

    pub(crate) async fn open(&self) -> FileStorage {
        FileStorage::open(&self.path).await.expect("opened")
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.path).expect("the file")
    }

    /// What is in the directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).expect("a directory");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// A document of the flags `a` and `b`, the latter with that description.
pub(crate) fn two_flags(description: &str) -> String {
    format!(
        r#"{{ "version": 1,
  "flags": [
    {{"key": "a", "name": "A", "flag_type": "boolean", "status": "active", "default_enabled": false, "id": "00000000-0000-4000-8000-00000000000a", "metadata": {{"n":   1.0}}}},
    {{"key": "b", "name": "B", "flag_type": "boolean", "status": "active", "default_enabled": false, "id": "00000000-0000-4000-8000-00000000000b", "description": "{description}"}}
  ]
}}"#
    )
}

pub(crate) fn store(storage: &FileStorage) -> FlagStore {
    FlagStore::new(Arc::new(storage.clone()))
}

pub(crate) fn flag(key: &str) -> Flag {
    Flag::new(name(key))
}

pub(crate) fn name(key: &str) -> FlagKey {
    FlagKey::new(key).expect("a key")
}

pub(crate) fn key(flag: &str) -> Key {
    Key::Flag(name(flag))
}

pub(crate) fn create(flag_key: &str) -> Batch {
    Batch::new().put(flag(flag_key), Expect::Absent)
}

/// The description of flag `b`, as it is read.
pub(crate) async fn description(storage: &FileStorage) -> String {
    let flag = store(storage).get_flag(&name("b")).await.expect("read").expect("the flag");
    flag.description.clone().unwrap_or_default()
}

pub(crate) async fn health(storage: &FileStorage) -> Health {
    storage.health().await.expect("healthy enough to answer")
}

/// A watch whose first `Resync` was read.
pub(crate) async fn watch(storage: &FileStorage) -> BoxStream<'static, Change> {
    let mut watch = storage.watch().await.expect("a watch");
    assert_eq!(next(&mut watch).await, Change::Resync);
    watch
}

pub(crate) async fn next(watch: &mut BoxStream<'static, Change>) -> Change {
    let next = tokio::time::timeout(BOUND, watch.next()).await;
    next.expect("the watch says something in time").expect("the watch goes on")
}

/// Puts a text there as most editors do: beside it first, then in its place.
pub(crate) fn save_by_rename(path: &Path, text: &str) {
    let draft = path.with_extension("new");
    fs::write(&draft, text).expect("written");
    fs::rename(&draft, path).expect("renamed");
}

/// Waits until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let deadline = Instant::now() + BOUND;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}: not within {BOUND:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
