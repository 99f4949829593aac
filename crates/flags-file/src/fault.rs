//! [`Fault`]: why the file could not be used, and the errors that this becomes.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flags_core::{Error, ErrorKind};

use crate::document::Broken;

/// Why the file could not be used. Several calls may fail for one reason, so it can be cloned, as an
/// [`Error`] cannot.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    path: Arc<Path>,
    cause: Cause,
}

#[derive(Debug, Clone)]
pub(crate) enum Cause {
    /// Somebody's edit is no document of flags.
    Broken(Broken),
    /// It was there, and is not any more.
    Gone,
    /// Something is there that holds no document: a directory, a pipe, a device.
    Irregular,
    NoDirectory,
    NoFile,
    ReadOnly,
    /// Another process holds the lock.
    Locked(Duration),
    /// What has the name of the lock file may be anybody's: a link, a directory, a file with other names.
    StrangeLock(Arc<Path>),
    /// The file changes all the time, so that no state of it could be read or replaced.
    Restless,
    Io {
        doing: Doing,
        error: Arc<io::Error>,
    },
    Closed,
}

/// What the operating system was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Read,
    Lock,
    Write,
    /// The new file is in its place, but may be lost if the power fails now.
    SyncDirectory,
}

impl Fault {
    pub(crate) fn new(path: &Path, cause: Cause) -> Self {
        Self { path: path.into(), cause }
    }

    pub(crate) fn io(path: &Path, doing: Doing, error: io::Error) -> Self {
        Self::new(path, Cause::Io { doing, error: Arc::new(error) })
    }

    /// Whether both say the same of the same file.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.cause) == std::mem::discriminant(&other.cause)
    }

    /// Whether the write may have been applied.
    pub(crate) fn is_uncertain(&self) -> bool {
        matches!(self.cause, Cause::Io { doing: Doing::SyncDirectory, .. })
    }

    fn kind(&self) -> ErrorKind {
        match &self.cause {
            Cause::Closed => ErrorKind::Closed,
            Cause::NoFile => ErrorKind::Invalid,
            Cause::ReadOnly | Cause::StrangeLock(_) => ErrorKind::Denied,
            Cause::Io { doing: Doing::SyncDirectory, .. } => ErrorKind::Indeterminate,
            Cause::Io { error, .. } => match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
                _ => ErrorKind::Unavailable,
            },
            _ => ErrorKind::Unavailable,
        }
    }

    /// The error of one call.
    pub(crate) fn error(&self) -> Error {
        if matches!(self.cause, Cause::Closed) {
            return Error::closed();
        }
        let error = Error::new(self.kind(), self.to_string());
        match &self.cause {
            // Where is said already.
            Cause::Broken(broken) => error.with_source(broken.what.clone()),
            Cause::Io { error: cause, .. } => error.with_source(Arc::clone(cause)),
            _ => error,
        }
    }

    /// What an operator should know of it, in full.
    pub(crate) fn warning(&self) -> String {
        match &self.cause {
            Cause::Broken(broken) => format!("{self}: {}", broken.what),
            Cause::Io { error, .. } => format!("{self}: {error}"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.cause {
            Cause::Broken(broken) => {
                write!(f, "{path:?} is no document of flags, at {}; mend the file", broken.position)
            }
            Cause::Gone => {
                write!(f, "{path:?} is gone; put it back, or open the store anew to begin with an empty one")
            }
            Cause::Irregular => {
                write!(f, "{path:?} is a directory, a pipe or a device; put a regular file there")
            }
            Cause::NoDirectory => write!(f, "the directory of {path:?} does not exist; create it"),
            Cause::NoFile => write!(f, "{path:?} does not name a file; give the path of one"),
            Cause::ReadOnly => write!(f, "{path:?} is read-only; make it writable to change flags"),
            Cause::Locked(waited) => {
                write!(f, "another process held the lock of {path:?} for all of {waited:?}; try again")
            }
            Cause::StrangeLock(lock) => write!(
                f,
                "{lock:?} is a link, or no regular file with one name, so {path:?} is not locked and nothing was \
                 changed; find out who put it there, and remove it"
            ),
            Cause::Restless => write!(f, "{path:?} is being changed all the time; try again"),
            Cause::Io { doing, .. } => match doing {
                Doing::Read => write!(f, "{path:?} cannot be read; see the cause"),
                Doing::Lock => write!(f, "{path:?} cannot be locked, nothing was changed; see the cause"),
                Doing::Write => write!(f, "{path:?} cannot be written, nothing was changed; see the cause"),
                Doing::SyncDirectory => write!(
                    f,
                    "{path:?} was replaced, but the disk did not confirm it; look before you repeat the write"
                ),
            },
            Cause::Closed => f.write_str("the store was closed"),
        }
    }
}
