//! [`Stamp`]: what tells one version of a file from another without reading it.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hasher as _};
use std::time::{Duration, SystemTime};

/// The tick of a kernel's clock, generously: two changes within one may leave the same times behind.
const TICK: Duration = Duration::from_millis(20);

/// The same of file systems that count whole seconds, or even pairs of them.
const COARSE_TICK: Duration = Duration::from_secs(3);

/// What the file system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    length: u64,
    pub(crate) modified: Option<SystemTime>,
    identity: Identity,
}

/// Which file it is, and when its inode changed, which no program can set.
#[cfg(unix)]
type Identity = (u64, u64, i64, i64);

/// When it was created.
#[cfg(not(unix))]
type Identity = Option<SystemTime>;

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    metadata.created().ok()
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: metadata.modified().ok(), identity: identity(metadata) }
    }

    /// Whether its time seems to be one of whole seconds.
    fn is_coarse(&self) -> bool {
        let since = self.modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
        since.is_none_or(|since| since.subsec_nanos() == 0)
    }

    /// The length of the file, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

/// A version of the file that was read or written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) stamp: Stamp,
    /// A hash of all its bytes while its stamp proves nothing: it was read within a tick of its last change.
    hash: Option<u64>,
}

impl Seen {
    /// One that was read.
    pub(crate) fn read(stamp: Stamp, bytes: &[u8]) -> Self {
        let tick = if stamp.is_coarse() { COARSE_TICK } else { TICK };
        // A time in the future proves nothing either.
        let age = stamp.modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        let settled = age.is_some_and(|age| age > tick);
        Self { stamp, hash: (!settled).then(|| hash(bytes)) }
    }

    /// One that this store wrote, with a time that no other version has, if the file system can tell it.
    pub(crate) fn written(stamp: Stamp, bytes: &[u8]) -> Self {
        Self { stamp, hash: stamp.is_coarse().then(|| hash(bytes)) }
    }

    /// Whether a file with that stamp is certainly the same.
    pub(crate) fn is_certainly(&self, stamp: &Stamp) -> bool {
        self.hash.is_none() && self.stamp == *stamp
    }

    /// Whether a version that was read is the same.
    pub(crate) fn is(&self, stamp: &Stamp, bytes: &[u8]) -> bool {
        self.stamp == *stamp && self.hash.is_none_or(|before| before == hash(bytes))
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
