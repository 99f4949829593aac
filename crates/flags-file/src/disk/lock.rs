//! [`Lock`]: one writer at a time, among all processes.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::stamp::is_same_file;
#[cfg(unix)]
use super::{Found, access::Access};
use crate::fault::{Cause, Doing, Fault};

/// How long to wait before asking again, at first and at most. The operating system has no lock with a
/// deadline.
const PAUSE: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(4));

/// Held from reading the file to having replaced it. The operating system releases it when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits for the lock of the file at `target`, until that instant.
    pub(crate) fn acquire(target: &Path, until: Instant) -> Result<Self, Fault> {
        let fault = |error| Fault::io(target, Doing::Lock, error);
        let begun = Instant::now();
        let path = beside(target, ".lock");
        let mut pause = PAUSE.0;
        loop {
            if let Some(file) = open(&path, target)? {
                match file.try_lock() {
                    // Somebody who removed the lock file makes others lock another one.
                    Ok(()) if is_at(&file, &path).map_err(fault)? => return Ok(Self { file, path }),
                    Ok(()) | Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(error)) => return Err(fault(error)),
                }
            }
            let now = Instant::now();
            if now >= until {
                return Err(Fault::new(target, Cause::Locked(now - begun)));
            }
            std::thread::sleep(pause.min(until - now));
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Whether the lock file is still the one that others would lock.
    pub(super) fn is_held(&self) -> io::Result<bool> {
        is_at(&self.file, &self.path)
    }
}

/// The file's neighbour whose name has that ending.
fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    target.with_file_name(name)
}

/// Opens the lock file, and makes it where there is none. `None`: somebody else is just doing so.
///
/// Whoever may write the directory may have put anything there, to be created, written or given away by
/// another user's commit. So no link is followed, and a file that was there already is locked and nothing
/// else.
fn open(path: &Path, target: &Path) -> Result<Option<File>, Fault> {
    let opened = match options(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match options(true).create_new(true).open(path) {
                Ok(made) => {
                    share(&made, target);
                    return Ok(Some(made));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                refused => refused,
            }
        }
        // A file server lends it to somebody, and is asking for it back.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        // Another user's: it can be locked without being written.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            options(false).open(path).map_err(|_| error)
        }
        opened => opened,
    };
    let fault = |error| Fault::io(target, Doing::Lock, error);
    match opened {
        Ok(file) if is_ours_alone(&file.metadata().map_err(fault)?) => Ok(Some(file)),
        Err(error) if fs::symlink_metadata(path).map_or(true, |there| there.is_file()) => Err(fault(error)),
        _ => Err(Fault::new(target, Cause::StrangeLock(path.into()))),
    }
}

/// Neither follows a link nor waits for another program at the other end of a pipe.
fn options(write: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(write);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    }
    options
}

/// Whether it is a regular file that has no name elsewhere, where it would be somebody else's.
fn is_ours_alone(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(metadata) > 1 {
        return false;
    }
    metadata.is_file()
}

/// Whoever may write the file may lock it too: a lock file that was just made takes after it, as far as this
/// process may see to that.
#[cfg(unix)]
fn share(made: &File, target: &Path) {
    if let Ok(Found::File(file)) = super::open(target)
        && let Ok(access) = Access::of(&file)
    {
        // Others may be unable to lock it then, and are told so.
        let _ = access.pass_to(made);
    }
}

/// A new file inherits what its directory permits.
#[cfg(not(unix))]
fn share(_made: &File, _target: &Path) {}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(there) => Ok(is_same_file(&there, &file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
