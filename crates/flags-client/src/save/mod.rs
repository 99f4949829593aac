//! [`SavedFile`]: the last known state on disk.

mod read;
mod replace;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flags_core::transfer::Document;
use flags_core::{Clock, Error, ErrorKind, Json, Record, Result, Timestamp};

use read::Reader;
use replace::replace;

/// The member of the document that says when it was saved. An import ignores it.
const SAVED_AT: &str = "saved_at";

/// An export document of what a client knows.
#[derive(Debug, Clone)]
pub(crate) struct SavedFile {
    path: PathBuf,
    reader: Arc<Reader>,
}

/// What a file held.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) records: Vec<Record>,
    pub(crate) at: Timestamp,
}

impl Saved {
    pub(crate) fn has_flags(&self) -> bool {
        self.records.iter().any(|record| matches!(record, Record::Flag(_)))
    }
}

impl SavedFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, reader: Arc::default() }
    }

    /// Reads the file, if there is one, on a thread of its own, and waits for that as long as it
    /// gets on.
    pub(crate) async fn read(&self, clock: &dyn Clock) -> Result<Option<Saved>> {
        self.reader.read(self.path.clone(), clock).await
    }

    /// Replaces the file: whoever reads it, also after a crash, finds the old one or the new one. Blocks.
    pub(crate) fn write(&self, mut records: Vec<Record>, at: Timestamp) -> Result<()> {
        if fs::metadata(&self.path).is_ok_and(|there| !there.is_file()) {
            return Err(irregular(&self.path));
        }
        records.sort_by_cached_key(Record::key);
        let mut document = Document::default();
        records.into_iter().for_each(|record| document.push(record));
        document.extra.insert(SAVED_AT, Json::from(at.to_string()));
        let json = document.to_json()?;
        replace(&self.path, json.as_bytes()).map_err(|e| {
            Error::new(
                ErrorKind::Unavailable,
                "the last known state cannot be saved; is the folder writable?",
            )
            .with_source(e)
        })
    }
}

/// A pipe or a device may never answer, or never end; and what it is there for is not to be replaced
/// by a file.
fn irregular(path: &Path) -> Error {
    let reason = format!(
        "{} is no regular file, and so neither read nor replaced: name another one for the last saved state",
        path.display()
    );
    Error::new(ErrorKind::Invalid, reason)
}
