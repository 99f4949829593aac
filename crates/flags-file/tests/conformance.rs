//! The conformance suite against a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use flags_conformance::{Harness, Namespace, Offered};
use flags_core::{BoxError, Key, Kind, ManualClock, StorageHandle, Timestamp};
use flags_file::FileStorage;
use serde::Deserialize;
use serde_json::value::RawValue;

struct Files;

#[derive(Debug)]
struct Fresh {
    directory: tempfile::TempDir,
    storage: StorageHandle,
    clock: ManualClock,
    edits: AtomicUsize,
}

#[async_trait]
impl Harness for Files {
    async fn open(&self) -> Result<Box<dyn Namespace>, BoxError> {
        let directory = tempfile::tempdir()?;
        let clock = ManualClock::at(Timestamp::now());
        let storage = open(&directory.path().join("flags.json"), &clock).await?;
        Ok(Box::new(Fresh { directory, storage, clock, edits: AtomicUsize::new(0) }))
    }
}

async fn open(path: &Path, clock: &ManualClock) -> Result<StorageHandle, BoxError> {
    Ok(Arc::new(FileStorage::builder(path).clock(Arc::new(clock.clone())).open().await?))
}

impl Fresh {
    fn path(&self) -> PathBuf {
        self.directory.path().join("flags.json")
    }
}

#[async_trait]
impl Namespace for Fresh {
    fn storage(&self) -> StorageHandle {
        Arc::clone(&self.storage)
    }

    fn clock(&self) -> Option<ManualClock> {
        Some(self.clock.clone())
    }

    async fn second_handle(&self) -> Offered<StorageHandle> {
        open(&self.path(), &self.clock).await.map(Some)
    }

    async fn sibling(&self) -> Offered<StorageHandle> {
        open(&self.directory.path().join("flags.json.x"), &self.clock).await.map(Some)
    }

    async fn reopen(&self) -> Offered<StorageHandle> {
        open(&self.path(), &self.clock).await.map(Some)
    }

    async fn plant(&self, key: &Key, bytes: &[u8]) -> Offered<()> {
        // A record in a document is JSON, and has no name but that in its body.
        let Ok(body) = serde_json::from_slice::<Box<RawValue>>(bytes) else { return Ok(None) };
        if name(&body) != wanted(key) {
            return Ok(None);
        }
        let path = self.path();
        let mut document = Outside::read(&path)?;
        let list = document.lists.entry(list(key.kind())).or_default();
        list.retain(|record| name(record) != wanted(key));
        // In another order than ours, and in another style.
        list.insert(0, body);
        let text = document.text()?;
        // Some editors write in place, and some put another file there.
        if self.edits.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            std::fs::write(&path, text)?;
        } else {
            let draft = self.directory.path().join("flags.json~");
            std::fs::write(&draft, text)?;
            std::fs::rename(&draft, &path)?;
        }
        Ok(Some(()))
    }
}

/// The document as a program sees it that knows JSON and nothing of us.
#[derive(Debug, Default)]
struct Outside {
    lists: BTreeMap<&'static str, Vec<Box<RawValue>>>,
}

impl Outside {
    fn read(path: &Path) -> Result<Self, BoxError> {
        let mut lists = BTreeMap::new();
        if path.exists() {
            let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&std::fs::read(path)?)?;
            for kind in Kind::ALL {
                if let Some(raw) = members.remove(list(kind)) {
                    lists.insert(list(kind), serde_json::from_str(raw.get())?);
                }
            }
        }
        Ok(Self { lists })
    }

    fn text(&self) -> Result<String, BoxError> {
        let mut members: BTreeMap<&str, Box<RawValue>> = BTreeMap::new();
        members.insert("version", serde_json::value::to_raw_value(&1)?);
        for (list, records) in &self.lists {
            members.insert(list, serde_json::value::to_raw_value(records)?);
        }
        Ok(serde_json::to_string(&members)?)
    }
}

fn list(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flags",
        Kind::Override => "overrides",
        Kind::ScheduledChange => "scheduled_changes",
        Kind::TimeSchedule => "time_schedules",
        Kind::RolloutPhase => "rollout_phases",
        _ => "segments",
    }
}

/// What a record in a document is known by.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Name {
    key: Option<String>,
    id: Option<String>,
    flag_id: Option<String>,
    entity_type: Option<String>,
    entity_id: Option<String>,
}

fn name(body: &RawValue) -> Option<Vec<String>> {
    let name: Name = serde_json::from_str(body.get()).ok()?;
    match name {
        Name { key: Some(key), .. } => Some(vec![key]),
        Name { flag_id: Some(flag), entity_type: Some(kind), entity_id: Some(id), .. } => {
            Some(vec![flag, kind, id])
        }
        Name { id, .. } => Some(vec![id?]),
    }
}

fn wanted(key: &Key) -> Option<Vec<String>> {
    match key {
        Key::Override(flag, kind, id) => Some(vec![flag.to_string(), kind.to_string(), id.to_string()]),
        other => other.to_string().split_once(':').map(|(_, name)| vec![name.to_owned()]),
    }
}

fn main() -> ExitCode {
    flags_conformance::main(Files)
}
