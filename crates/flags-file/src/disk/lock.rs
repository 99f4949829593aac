//! [`Lock`]: one writer at a time, among all processes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[cfg(unix)]
use super::access::Access;
use super::stamp::is_same_file;
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
            let file = open(&path).map_err(fault)?;
            match file.try_lock() {
                // Somebody who removed the lock file makes others lock another one.
                Ok(()) if is_at(&file, &path).map_err(fault)? => {
                    share(&file, target);
                    return Ok(Self { file, path });
                }
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(fault(error)),
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

fn open(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path) {
        // Another user's: it can be locked without being written.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => File::open(path).map_err(|_| error),
        opened => opened,
    }
}

/// Whoever may write the file may lock it too: the lock file takes after it, as far as this process
/// may see to that.
#[cfg(unix)]
fn share(lock: &File, target: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let of = |metadata: &fs::Metadata| (metadata.mode() & 0o777, metadata.gid());
    let (Ok(now), Ok(wanted)) = (lock.metadata(), fs::metadata(target)) else { return };
    if of(&now) != of(&wanted)
        && wanted.is_file()
        && let Ok(access) = File::open(target).and_then(|file| Access::of(&file))
    {
        // It is another user's, then, who has to see to it.
        let _ = access.pass_to(lock);
    }
}

/// A new file inherits what its directory permits.
#[cfg(not(unix))]
fn share(_lock: &File, _target: &Path) {}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(there) => Ok(is_same_file(&there, &file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
