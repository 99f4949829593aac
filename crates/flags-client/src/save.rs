//! [`SavedFile`]: the last known state on disk.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flags_core::transfer::Document;
use flags_core::{Error, ErrorKind, Json, Record, Result, Timestamp};

/// The member of the document that says when it was saved. An import ignores it.
const SAVED_AT: &str = "saved_at";

/// An export document of what a client knows.
#[derive(Debug, Clone)]
pub(crate) struct SavedFile {
    path: PathBuf,
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
        Self { path }
    }

    /// Reads the file, if there is one. Blocks.
    pub(crate) fn read(&self) -> Result<Option<Saved>> {
        let unreadable = |e: std::io::Error| {
            Error::new(ErrorKind::Unavailable, "the file of the last saved state cannot be read")
                .with_source(e)
        };
        let json = match fs::read(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(unreadable)?,
        };
        let document = Document::from_json(&json)?;
        let written = || fs::metadata(&self.path).and_then(|file| file.modified()).map(Timestamp::from);
        let at = match document.extra.get(SAVED_AT).and_then(|at| at.to().ok()) {
            Some(at) => at,
            None => written().map_err(unreadable)?,
        };
        Ok(Some(Saved { records: document.records().collect(), at }))
    }

    /// Replaces the file: whoever reads it, also after a crash, finds the old one or the new one. Blocks.
    pub(crate) fn write(&self, mut records: Vec<Record>, at: Timestamp) -> Result<()> {
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

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Beside the file, so that the rename stays within one file system.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The rename is durable once the folder is. Not every system can open one, and then there is nothing to do.
    if let Ok(folder) = fs::File::open(folder) {
        folder.sync_all()?;
    }
    Ok(())
}
