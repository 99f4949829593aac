//! Replacing the file: whoever reads it, whenever a process or the power dies, finds the old one or the new
//! one.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use super::access::Access;
use super::draft::Draft;
use super::{Lock, Seen};
use crate::fault::{Cause, Doing, Fault};

/// How a replacement ended.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// The new file is in its place, and on the disk.
    Done(Seen),
    /// Somebody else changed the file since it was read, and nothing was done.
    Overtaken,
    /// Somebody removed the lock file, so that another writer may have another lock; nothing was
    /// done.
    Unlocked,
}

/// Puts `bytes` in the place of the file at `target`, if that is still as `before` says (`None`: it does not
/// exist).
pub(crate) fn replace(
    lock: &Lock,
    target: &Path,
    bytes: &[u8],
    before: Option<&Seen>,
) -> Result<Replaced, Fault> {
    replace_with(lock, target, bytes, before, |directory| directory.map_or(Ok(()), File::sync_all))
}

fn replace_with(
    lock: &Lock,
    target: &Path,
    bytes: &[u8],
    before: Option<&Seen>,
    sync: impl FnOnce(Option<&File>) -> io::Result<()>,
) -> Result<Replaced, Fault> {
    let fault = |error| Fault::io(target, Doing::Write, error);
    let old = match fs::metadata(target) {
        Ok(metadata) if metadata.is_file() => Some(old(target, &metadata)?),
        Ok(_) => return Ok(Replaced::Overtaken),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(fault(error)),
    };
    // Now, while a refusal still means that nothing was done.
    let directory = directory(target).map_err(fault)?;
    let mut draft = Draft::write(target, bytes, old.as_ref()).map_err(fault)?;
    if !lock.is_held().map_err(fault)? {
        return Ok(Replaced::Unlocked);
    }
    // Editors don't know the lock. This is as late as one can look.
    if !draft.is_there().map_err(fault)? || !super::is_unchanged(target, before).map_err(fault)? {
        return Ok(Replaced::Overtaken);
    }
    let written = draft.stamp().map_err(fault)?;
    draft.rename(target).map_err(fault)?;
    let placed = draft.stamp().ok();
    match sync(directory.as_ref()) {
        // Not every file system takes that of a directory, and there is nothing else to be done.
        Err(error) if !is_refused(&error) => Err(Fault::io(target, Doing::SyncDirectory, error)),
        _ => Ok(Replaced::Done(draft.seen(bytes, written, placed))),
    }
}

/// Whether a directory cannot be brought to the disk by itself here.
#[cfg(unix)]
fn is_refused(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::INVAL, Errno::BADF].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(not(unix))]
fn is_refused(_error: &io::Error) -> bool {
    false
}

/// The access to the file that is to be replaced. One that may not be written is not replaced
/// either, although its directory would permit it; nor is one that is marked as read-only, which
/// the system does not hold against an administrator.
fn old(target: &Path, metadata: &Metadata) -> Result<Access, Fault> {
    if metadata.permissions().readonly() {
        return Err(Fault::new(target, Cause::ReadOnly));
    }
    let opened = OpenOptions::new().read(true).write(true).open(target);
    opened.and_then(|file| Access::of(&file)).map_err(|error| Fault::io(target, Doing::Write, error))
}

/// The directory, where it has to reach the disk for a rename in it to be there.
#[cfg(unix)]
fn directory(target: &Path) -> io::Result<Option<File>> {
    File::open(super::links::parent(target).unwrap_or_default()).map(Some)
}

/// Windows journals the rename.
#[cfg(not(unix))]
fn directory(_target: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::disk::{self, Found};

    /// What is in the directory, but for the lock.
    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| name != "flags.json.lock").collect()
    }

    fn lock(target: &Path) -> Lock {
        Lock::acquire(target, Instant::now() + Duration::from_secs(60)).expect("nobody has it")
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
        let fault = replace_with(&lock(&target), &target, b"new", before.as_ref(), |_| {
            Err(io::ErrorKind::Other.into())
        });
        let fault = fault.expect_err("the directory was not synced");
        assert!(fault.is_uncertain());
        assert_eq!(fault.error().kind(), flags_core::ErrorKind::Indeterminate);
        assert_eq!(fs::read_to_string(&target).expect("read"), "new");
        assert_eq!(names(directory.path()), ["flags.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_system_that_does_not_bring_directories_to_the_disk_is_no_fault() {
        use rustix::io::Errno;
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        for (errno, is_fault) in [(Errno::INVAL, false), (Errno::BADF, false), (Errno::IO, true)] {
            let before = seen(&target);
            let replaced = replace_with(&lock(&target), &target, b"new", before.as_ref(), |_| {
                Err(io::Error::from_raw_os_error(errno.raw_os_error()))
            });
            assert_eq!(replaced.is_err(), is_fault, "{errno}: {replaced:?}");
        }
    }

    /// An editor that saves as soon as it sees the commit: the directory is not on the disk yet.
    #[test]
    fn an_edit_right_after_the_rename_is_not_taken_for_what_was_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        for theirs in ["an editor's", "ours"] {
            fs::write(&target, "old").expect("written");
            let before = seen(&target);
            let replaced = replace_with(&lock(&target), &target, b"ours", before.as_ref(), |_| {
                fs::write(&target, theirs)
            });
            let Ok(Replaced::Done(seen)) = replaced else { panic!("{replaced:?}") };
            let Ok(Found::File(now)) = disk::stamp(&target) else { panic!("it is there") };
            assert!(!seen.is_certainly(&now), "{theirs}");
            assert!(!seen.is(&now, theirs.as_bytes()), "{theirs}: it has to be read");
        }
    }

    #[test]
    fn whoever_edits_the_file_meanwhile_keeps_the_edit() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        fs::write(&target, "old").expect("written");
        let before = seen(&target);
        fs::write(&target, "new").expect("written");
        let replaced = replace(&lock(&target), &target, b"ours", before.as_ref()).expect("no fault");
        assert!(matches!(replaced, Replaced::Overtaken));
        assert_eq!(fs::read_to_string(&target).expect("read"), "new", "an edit of the same length");
        assert_eq!(names(directory.path()), ["flags.json"]);
        assert!(matches!(
            replace(&lock(&target), &target, b"new", None).expect("no fault"),
            Replaced::Overtaken
        ));
    }

    #[test]
    fn every_version_has_a_later_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        let mut before: Option<Seen> = None;
        for n in 0..20 {
            let Replaced::Done(seen) =
                replace(&lock(&target), &target, format!("{n:02}").as_bytes(), before.as_ref())
                    .expect("no fault")
            else {
                panic!("overtaken by nobody")
            };
            assert!(before.is_none_or(|before| before.stamp.modified < seen.stamp.modified));
            assert!(matches!(disk::stamp(&target), Ok(Found::File(stamp)) if stamp == seen.stamp));
            before = Some(seen);
        }
    }

    #[test]
    fn a_lock_file_that_was_removed_is_no_lock() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        fs::write(&target, "old").expect("written");
        let before = seen(&target);
        let ours = lock(&target);
        fs::remove_file(directory.path().join("flags.json.lock")).expect("removed");
        let theirs = lock(&target);
        let replaced = replace(&ours, &target, b"ours", before.as_ref()).expect("no fault");
        assert!(matches!(replaced, Replaced::Unlocked), "{replaced:?}");
        assert_eq!(fs::read_to_string(&target).expect("read"), "old");
        let replaced = replace(&theirs, &target, b"theirs", before.as_ref()).expect("no fault");
        assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
        assert_eq!(names(directory.path()), ["flags.json"]);
    }
}
