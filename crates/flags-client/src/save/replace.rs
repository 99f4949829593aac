//! Replacing the file: whoever reads it, whenever a process or the power dies, finds the old one or the
//! new one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// Puts `bytes` in the place of the file that the path leads to, with the access that it permits. A
/// new one is its owner's alone: what flags say may be nobody else's business.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, bytes, File::sync_all)
}

fn replace_with(
    path: &Path,
    bytes: &[u8],
    sync_folder: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let path = &target(path);
    let folder = parent(path);
    let prefix = prefix(path);
    remove_leftovers(folder, &prefix);
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Beside the file, so that the rename stays within one file system.
    let mut draft = draft(folder, &prefix)?;
    draft.write_all(bytes)?;
    if let Some(old) = old {
        pass_access(&old, draft.as_file())?;
    }
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    // The rename is durable once the folder is. Not every system can open one, or takes it, and then
    // there is nothing to do.
    let synced = File::open(folder).map_or(Ok(()), |folder| sync_folder(&folder));
    synced.or_else(|error| if is_refused(&error) { Ok(()) } else { Err(error) })
}

/// The file that the path leads to, which need not exist: what is replaced, so that a link stays a
/// link.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(link) => path = parent(&path).join(link),
            Err(_) => break,
        }
    }
    path
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Gives a file the owner, group and permissions of the one that it replaces, as far as that is
/// permitted. Nobody is permitted what the old one did not: another group is permitted nothing.
#[cfg(unix)]
fn pass_access(old: &fs::Metadata, new: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};

    let mine = new.metadata()?;
    let is_owned = (mine.uid(), mine.gid()) == (old.uid(), old.gid());
    let has_group = is_owned
        || fchown(new, Some(old.uid()), Some(old.gid())).is_ok()
        || fchown(new, None, Some(old.gid())).is_ok()
        || mine.gid() == old.gid();
    let lost = if has_group { 0 } else { 0o070 };
    new.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777 & !lost))
}

#[cfg(not(unix))]
fn pass_access(_old: &fs::Metadata, _new: &File) -> io::Result<()> {
    Ok(())
}

/// Whether a folder cannot be brought to the disk by itself here, as with some file systems of a
/// network: `EBADF` or `EINVAL`, which are the same number on every Unix.
fn is_refused(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(9 | 22))
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
        let path = at("flags.json");
        for name in
            [".flags.json.a1B2c3.draft", ".tmpA1b2C3", ".other.json.a1B2c3.draft", ".flags.json.d4E5f6.draft"]
        {
            fs::write(at(name), "half of").expect("written");
        }
        // Another process is at this one.
        let busy = File::open(at(".flags.json.d4E5f6.draft")).expect("a file");
        busy.lock().expect("locked");
        replace(&path, b"all of it").expect("saved");
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
        replace(&path, b"all of it").expect("saved");
        assert_eq!(names(), rest[1..]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_system_that_does_not_bring_folders_to_the_disk_is_no_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("flags.json");
        // EINVAL, EBADF and EIO.
        for (errno, is_failure) in [(22, false), (9, false), (5, true)] {
            let synced = |_: &File| Err(io::Error::from_raw_os_error(errno));
            assert_eq!(replace_with(&path, b"new", synced).is_err(), is_failure, "{errno}");
            assert_eq!(fs::read_to_string(&path).expect("read"), "new");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_file_that_a_link_leads_to_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("real")).expect("a folder");
        std::os::unix::fs::symlink("real", at("current")).expect("linked");
        std::os::unix::fs::symlink("second", at("first")).expect("linked");
        std::os::unix::fs::symlink("current/flags.json", at("second")).expect("linked");
        // Where it leads to nothing, that is created.
        for bytes in ["one", "two"] {
            replace(&at("first"), bytes.as_bytes()).expect("saved");
            assert_eq!(fs::read_to_string(at("real/flags.json")).expect("read"), bytes);
            for link in ["first", "second", "current"] {
                assert!(at(link).symlink_metadata().expect("it is there").is_symlink(), "{link}");
            }
        }
        std::os::unix::fs::symlink("circle", at("circle")).expect("linked");
        replace(&at("circle"), b"three").expect_err("it leads nowhere");
        assert!(at("circle").symlink_metadata().expect("it is there").is_symlink());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_there_keeps_its_access_and_a_new_one_is_its_owners() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("flags.json");
        let access = || {
            let there = fs::metadata(&path).expect("a file");
            (there.mode() & 0o7777, there.uid(), there.gid())
        };
        replace(&path, b"new").expect("saved");
        let (mode, uid, gid) = access();
        assert_eq!(mode, 0o600);
        for mode in [0o644, 0o660, 0o400] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            replace(&path, b"newer").expect("saved");
            assert_eq!(access(), (mode, uid, gid));
        }
        // Only an administrator may give files away, and sees that they are given back.
        if std::os::unix::fs::chown(&path, Some(12_345), Some(54_321)).is_ok() {
            replace(&path, b"newest").expect("saved");
            assert_eq!(access(), (0o400, 12_345, 54_321));
        }
    }
}
