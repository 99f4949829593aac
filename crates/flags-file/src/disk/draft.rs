//! [`Draft`]: the next version of the file, beside it until it takes its place.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::access::Access;
use super::links::parent;
use super::stamp::{Seen, Stamp, is_same_file};

/// The new file beside the old one. Removed again unless it takes its place.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    is_placed: bool,
    /// When it was last changed, by its own word.
    modified: SystemTime,
}

impl Draft {
    /// Writes it, and brings it to the disk.
    pub(super) fn write(target: &Path, bytes: &[u8], old: Option<&Access>) -> io::Result<Self> {
        let draft = Self::create(target, old)?;
        (&draft.file).write_all(bytes)?;
        draft.file.set_modified(draft.modified)?;
        draft.file.sync_all()?;
        Ok(draft)
    }

    /// An empty one, which permits nobody what the old one did not, at no moment.
    fn create(target: &Path, old: Option<&Access>) -> io::Result<Self> {
        let path = target.with_file_name(name(target));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if old.is_some() {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let modified = later_than(old);
        let draft = Self { file: options.open(&path)?, path, is_placed: false, modified };
        if let Some(old) = old {
            old.pass_to(&draft.file)?;
        }
        Ok(draft)
    }

    /// Whether its path still leads to it.
    pub(super) fn is_there(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.path) {
            Ok(there) => Ok(is_same_file(&there, &self.file.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts it in its place.
    pub(super) fn rename(&mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_placed = true;
        Ok(())
    }

    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        Ok(Stamp::of(&self.file.metadata()?))
    }

    /// What it is, once it is in its place and on the disk. It was `written` before it was put
    /// there, and `placed` right after.
    pub(super) fn seen(&self, bytes: &[u8], written: Stamp, placed: Option<Stamp>) -> Seen {
        match (placed, self.stamp()) {
            // Bringing it to the disk takes milliseconds, in which an editor that waits for it may have
            // written it in its place.
            (Some(placed), Ok(now)) if placed.is_renamed(&written) && now == placed => {
                Seen::written(now, bytes, self.modified)
            }
            (_, now) => Seen::overwritten(now.unwrap_or(written)),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_placed {
            // It does no harm where it cannot be removed, and the first commit of a later opening does it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what writers left behind that were killed. Called under the [`Lock`](super::Lock), when
/// nobody else has a draft.
pub(crate) fn remove_drafts(target: &Path) {
    let (Some(directory), Some(name)) = (parent(target), target.file_name()) else { return };
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if is_draft(&entry.file_name(), name) {
            // Somebody else may have removed it, or forbids it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A hidden name that nobody else has thought of: people and scripts write `flags.json.tmp` and the
/// like.
fn name(target: &Path) -> String {
    let of = target.file_name().unwrap_or_default().to_string_lossy();
    format!(".{of}.{}-{:016x}", std::process::id(), fastrand::u64(..))
}

/// Whether that is the name of a draft of that file.
fn is_draft(name: &OsStr, of: &OsStr) -> bool {
    let (name, of) = (name.to_string_lossy(), of.to_string_lossy());
    let rest = name.strip_prefix('.').and_then(|rest| rest.strip_prefix(&*of)?.strip_prefix('.'));
    rest.and_then(|rest| rest.split_once('-')).is_some_and(|(process, random)| {
        !process.is_empty()
            && process.bytes().all(|digit| digit.is_ascii_digit())
            && random.len() == 16
            && random.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// A time that no earlier version had, so that every process can tell that there is a new one,
/// however fast commits come.
fn later_than(old: Option<&Access>) -> SystemTime {
    let now = SystemTime::now();
    match old.and_then(|old| old.metadata.modified().ok()) {
        Some(before) if before >= now => before + Duration::from_micros(1),
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_drafts_are_told_from_what_people_call_their_own() {
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        let mut theirs: Vec<String> = [
            "flags.json",
            "flags.json.tmp",
            "flags.json.lock",
            ".flags.json",
            ".flags.json.swp",
            ".flags.json.1-0123456789abcde",
            ".flags.json.-0123456789abcdef",
            ".flags.json.x-0123456789abcdef",
            ".flags.json.1-0123456789ABCDEF",
            ".flags.json.old.1-0123456789abcdef",
        ]
        .map(str::to_owned)
        .into();
        for name in &theirs {
            fs::write(directory.path().join(name), "theirs").expect("written");
        }
        for _ in 0..3 {
            // One whose writer was killed.
            std::mem::forget(Draft::write(&target, b"ours", None).expect("written"));
        }
        let names = || {
            let entries = fs::read_dir(directory.path()).expect("a directory");
            let mut names: Vec<String> = entries
                .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names().len(), theirs.len() + 3);
        remove_drafts(&target);
        theirs.sort();
        assert_eq!(names(), theirs);
    }

    #[test]
    fn it_knows_when_somebody_took_its_place() {
        let directory = tempfile::tempdir().expect("a directory");
        let draft = Draft::write(&directory.path().join("flags.json"), b"ours", None).expect("written");
        assert!(draft.is_there().expect("readable"));
        let theirs = directory.path().join("theirs");
        fs::write(&theirs, "theirs").expect("written");
        fs::rename(&theirs, &draft.path).expect("renamed");
        assert!(!draft.is_there().expect("readable"));
    }

    #[cfg(unix)]
    #[test]
    fn it_permits_what_the_old_one_did_before_the_first_byte() {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        let target = directory.path().join("flags.json");
        for mode in [0o600, 0o640, 0o664] {
            fs::write(&target, "secret").expect("written");
            fs::set_permissions(&target, Permissions::from_mode(mode)).expect("set");
            let old = Access::of(&File::open(&target).expect("opened")).expect("a file");
            let draft = Draft::create(&target, Some(&old)).expect("created");
            let metadata = draft.file.metadata().expect("a file");
            assert_eq!((metadata.permissions().mode() & 0o7777, metadata.len()), (mode, 0));
        }
    }
}
