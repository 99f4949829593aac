//! [`SavedFile`]: the last known state on disk.

use std::ffi::{OsStr, OsString};
use std::fs::{self, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flags_core::transfer::Document;
use flags_core::{Error, ErrorKind, Json, Record, Result, Timestamp};
use tempfile::NamedTempFile;

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
        let unreadable = |e: io::Error| {
            Error::new(ErrorKind::Unavailable, "the file of the last saved state cannot be read")
                .with_source(e)
        };
        let json = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
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

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let prefix = prefix(path);
    remove_leftovers(folder, &prefix);
    // Beside the file, so that the rename stays within one file system.
    let mut draft = draft(folder, &prefix)?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    // The rename is durable once the folder is. Not every system can open one, and then there is nothing to
    // do.
    if let Ok(folder) = fs::File::open(folder) {
        folder.sync_all()?;
    }
    Ok(())
}

/// How the names of drafts begin and end.
fn prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    prefix
}

const SUFFIX: &str = ".draft";

/// How often another draft is begun, where somebody took the last one for a leftover.
const ATTEMPTS: usize = 10;

/// A new draft, locked: it is no leftover.
fn draft(folder: &Path, prefix: &OsStr) -> io::Result<NamedTempFile> {
    for _ in 0..ATTEMPTS {
        let draft = tempfile::Builder::new().prefix(prefix).suffix(SUFFIX).tempfile_in(folder)?;
        match draft.as_file().try_lock() {
            Ok(()) if !draft.path().exists() => {}
            Err(TryLockError::WouldBlock) => {}
            // Where files cannot be locked, nobody takes them for leftovers.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(draft),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "somebody removes every draft"))
}

/// Removes what a process left behind that was killed while it saved. What another one is at is
/// locked.
fn remove_leftovers(folder: &Path, prefix: &OsStr) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let is_draft = name.starts_with(prefix.as_encoded_bytes()) && name.ends_with(SUFFIX.as_bytes());
        if is_draft
            && let Ok(file) = fs::OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            // It does no harm where it cannot be removed, and the next save tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_removes_what_killed_ones_left_behind_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let saved = SavedFile::new(at("flags.json"));
        for name in
            [".flags.json.a1B2c3.draft", ".tmpA1b2C3", ".other.json.a1B2c3.draft", ".flags.json.d4E5f6.draft"]
        {
            fs::write(at(name), "half of").expect("written");
        }
        // Another process is at this one.
        let busy = fs::File::open(at(".flags.json.d4E5f6.draft")).expect("a file");
        busy.lock().expect("locked");
        saved.write(Vec::new(), Timestamp::UNIX_EPOCH).expect("saved");
        let names = || {
            let entries = fs::read_dir(folder.path()).expect("a folder").flatten();
            let mut names: Vec<_> =
                entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            names.sort();
            names
        };
        let rest = [".flags.json.d4E5f6.draft", ".other.json.a1B2c3.draft", ".tmpA1b2C3", "flags.json"];
        assert_eq!(names(), rest);
        drop(busy);
        saved.write(Vec::new(), Timestamp::UNIX_EPOCH).expect("saved");
        assert_eq!(names(), rest[1..]);
    }
}
