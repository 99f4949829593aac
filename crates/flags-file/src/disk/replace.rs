//! Replacing the file: whoever reads it, whenever a process or the power dies, finds the old one or the new one.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::links::parent;
use super::lock::beside;
use super::{Seen, Stamp};
use crate::fault::{Cause, Doing, Fault};

/// How a replacement ended.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// The new file is in its place, and on the disk.
    Done(Seen),
    /// Somebody else changed the file since it was read, and nothing was done.
    Overtaken,
}

/// Puts `bytes` in the place of the file at `target`, if that is still as `before` says (`None`: it does not exist).
/// Called under the [`Lock`](super::Lock).
pub(crate) fn replace(target: &Path, bytes: &[u8], before: Option<&Seen>) -> Result<Replaced, Fault> {
    replace_with(target, bytes, before, |directory| directory.map_or(Ok(()), File::sync_all))
}

fn replace_with(
    target: &Path,
    bytes: &[u8],
    before: Option<&Seen>,
    sync: impl FnOnce(Option<&File>) -> io::Result<()>,
) -> Result<Replaced, Fault> {
    let fault = |error| Fault::io(target, Doing::Write, error);
    let old = match fs::metadata(target) {
        Ok(metadata) if metadata.is_file() => Some(metadata),
        Ok(_) => return Ok(Replaced::Overtaken),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(fault(error)),
    };
    if old.is_some() {
        check_writable(target, old.as_ref()).map_err(|error| match error {
            None => Fault::new(target, Cause::ReadOnly),
            Some(error) => fault(error),
        })?;
    }
    // Now, while a refusal still means that nothing was done.
    let directory = directory(target).map_err(fault)?;
    let draft = Draft::write(target, bytes, old.as_ref()).map_err(fault)?;
    // Editors don't know the lock. This is as late as one can look.
    if !super::is_unchanged(target, before).map_err(fault)? {
        return Ok(Replaced::Overtaken);
    }
    let file = draft.rename(target).map_err(fault)?;
    let uncertain = |error| Fault::io(target, Doing::SyncDirectory, error);
    sync(directory.as_ref()).map_err(uncertain)?;
    let metadata = file.metadata().map_err(uncertain)?;
    Ok(Replaced::Done(Seen::written(Stamp::of(&metadata), bytes)))
}

/// A file that may not be written is not replaced either, although its directory would permit it. `Err(None)`: it is
/// marked as read-only, which the system does not hold against an administrator.
fn check_writable(target: &Path, old: Option<&Metadata>) -> Result<(), Option<io::Error>> {
    if old.is_some_and(|old| old.permissions().readonly()) {
        return Err(None);
    }
    OpenOptions::new().write(true).open(target).map(drop).map_err(Some)
}

/// The directory, where it has to reach the disk for a rename in it to be there.
#[cfg(unix)]
fn directory(target: &Path) -> io::Result<Option<File>> {
    File::open(parent(target).unwrap_or_default()).map(Some)
}

/// Windows journals the rename.
#[cfg(not(unix))]
fn directory(_target: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// The new file beside the old one. Removed again unless it takes its place.
#[derive(Debug)]
struct Draft {
    path: PathBuf,
    file: Option<File>,
}

impl Draft {
    fn write(target: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<Self> {
        // One name will do, since there is one writer; and what a killed one left behind is not left for ever.
        let path = beside(target, ".tmp");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let mut draft = Self { path, file: None };
        let mut written = file;
        written.write_all(bytes)?;
        if let Some(old) = old {
            take_after(&written, old)?;
        }
        written.set_modified(later_than(old))?;
        written.sync_all()?;
        draft.file = Some(written);
        Ok(draft)
    }

    fn rename(mut self, target: &Path) -> io::Result<File> {
        fs::rename(&self.path, target)?;
        self.path = PathBuf::new();
        self.file.take().ok_or_else(|| io::ErrorKind::Other.into())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // It does no harm where it cannot be removed, and the next write does it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A time that no earlier version had, so that every process can tell that there is a new one, however fast commits come.
fn later_than(old: Option<&Metadata>) -> SystemTime {
    let now = SystemTime::now();
    match old.and_then(|old| old.modified().ok()) {
        Some(before) if before >= now => before + Duration::from_micros(1),
        _ => now,
    }
}

/// The new file belongs to whom the old one belonged, and permits what it permitted.
fn take_after(new: &File, old: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let mine = new.metadata()?;
        if (mine.uid(), mine.gid()) != (old.uid(), old.gid()) {
            // Only an administrator may give a file away; one's own is better than none.
            let _ = fchown(new, Some(old.uid()), Some(old.gid()));
        }
    }
    new.set_permissions(old.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{self, Found};

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    fn seen(target: &Path) -> Option<Seen> {
        match disk::read(target, None).expect("readable") {
            Found::File((_, seen)) => Some(seen),
            _ => None,
        }
    }

    #[test]
    fn a_directory_that_does_not_reach_the_disk_makes_it_uncertain() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        fs::write(&target, "old").expect("written");
        let before = seen(&target);
        let fault = replace_with(&target, b"new", before.as_ref(), |_| Err(io::ErrorKind::Other.into()));
        let fault = fault.expect_err("the directory was not synced");
        assert!(fault.is_uncertain());
        assert_eq!(fault.error().kind(), flags_core::ErrorKind::Indeterminate);
        assert_eq!(fs::read_to_string(&target).expect("read"), "new");
        assert_eq!(names(directory.path()), ["flags.json"]);
    }

    #[test]
    fn whoever_edits_the_file_meanwhile_keeps_the_edit() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        fs::write(&target, "old").expect("written");
        let before = seen(&target);
        fs::write(&target, "new").expect("written");
        let replaced = replace(&target, b"ours", before.as_ref()).expect("no fault");
        assert!(matches!(replaced, Replaced::Overtaken));
        assert_eq!(fs::read_to_string(&target).expect("read"), "new", "an edit of the same length");
        assert_eq!(names(directory.path()), ["flags.json"]);
        assert!(matches!(replace(&target, b"new", None).expect("no fault"), Replaced::Overtaken));
    }

    #[test]
    fn every_version_has_a_later_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        let mut before: Option<Seen> = None;
        for n in 0..20 {
            let Replaced::Done(seen) =
                replace(&target, format!("{n:02}").as_bytes(), before.as_ref()).expect("no fault")
            else {
                panic!("overtaken by nobody")
            };
            assert!(before.is_none_or(|before| before.stamp.modified < seen.stamp.modified));
            assert!(matches!(disk::stamp(&target), Ok(Found::File(stamp)) if stamp == seen.stamp));
            before = Some(seen);
        }
    }
}
