//! [`Stamp`]: what tells one version of a file from another without reading it.

use std::fs::Metadata;
use std::hash::{DefaultHasher, Hasher as _};
use std::time::{Duration, Instant, SystemTime};

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

    fn tick(&self) -> Duration {
        if self.is_coarse() { COARSE_TICK } else { TICK }
    }

    /// When its inode changed. A program can set the time of the last change back, and this one it
    /// cannot.
    #[cfg(unix)]
    fn inode_changed(&self) -> Option<SystemTime> {
        let (_, _, seconds, nanoseconds) = self.identity;
        let seconds = u64::try_from(seconds).ok()?;
        let nanoseconds = u32::try_from(nanoseconds).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
    }

    /// There is no such time: an edit that sets the other one back, and keeps the length, is not
    /// noticed.
    #[cfg(not(unix))]
    fn inode_changed(&self) -> Option<SystemTime> {
        self.modified
    }

    /// Whether its times were so old at that moment that a later change would have left others.
    fn is_older_than_a_tick(&self, now: SystemTime) -> bool {
        let is_old = |time: Option<SystemTime>| {
            time.and_then(|time| now.duration_since(time).ok()).is_some_and(|age| age > self.tick())
        };
        is_old(self.modified) && is_old(self.inode_changed())
    }

    /// Whether it is the same file with the same bytes, as far as a stamp can tell, under another
    /// name maybe: being renamed changes the inode.
    pub(super) fn is_renamed(&self, before: &Self) -> bool {
        self.is_same_file(before) && (self.length, self.modified) == (before.length, before.modified)
    }

    #[cfg(unix)]
    fn is_same_file(&self, other: &Self) -> bool {
        (self.identity.0, self.identity.1) == (other.identity.0, other.identity.1)
    }

    #[cfg(not(unix))]
    fn is_same_file(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// The length of the file, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}

/// Whether both are the same file, whatever changed in it.
pub(super) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    Stamp::of(one).is_same_file(&Stamp::of(other))
}

/// A moment, by a clock that can be set and one that cannot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    wall: SystemTime,
    steady: Instant,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }
}

/// A version of the file that was read or written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) stamp: Stamp,
    proof: Proof,
}

/// What tells a file with the same stamp from this version.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// Nothing need: no other version has that stamp.
    Stamp,
    /// A hash of all its bytes, since a change within the tick of its last one may have left the
    /// same stamp; and since when that stamp is known.
    Bytes { hash: u64, since: Instant },
    /// Nothing can: what it holds is not known.
    None,
}

impl Seen {
    /// One that was read, from that moment on; `before` is the version that was seen before it.
    pub(crate) fn read(stamp: Stamp, bytes: &[u8], begun: Moment, before: Option<&Self>) -> Self {
        let since = before.filter(|before| before.stamp == stamp).and_then(Self::unproven_since);
        // The tick may have ended while it was read, so what counts is how old it was before that. Where its
        // times are in the future, or the clock was set, it is settled once the same stamp was seen a tick
        // ago.
        let settled = stamp.is_older_than_a_tick(begun.wall)
            || since.is_some_and(|since| begun.steady.saturating_duration_since(since) > stamp.tick());
        let since = since.unwrap_or_else(Instant::now);
        Self { stamp, proof: if settled { Proof::Stamp } else { Proof::Bytes { hash: hash(bytes), since } } }
    }

    /// One that this store wrote, with that time, which no other version has.
    pub(crate) fn written(stamp: Stamp, bytes: &[u8], modified: SystemTime) -> Self {
        // A file system that counts in longer steps has told it otherwise.
        let proof = if stamp.modified == Some(modified) {
            Proof::Stamp
        } else {
            Proof::Bytes { hash: hash(bytes), since: Instant::now() }
        };
        Self { stamp, proof }
    }

    /// One that was written over at once, by somebody whose bytes are still to be read.
    pub(crate) fn overwritten(stamp: Stamp) -> Self {
        Self { stamp, proof: Proof::None }
    }

    fn unproven_since(&self) -> Option<Instant> {
        match self.proof {
            Proof::Bytes { since, .. } => Some(since),
            Proof::Stamp | Proof::None => None,
        }
    }

    /// Whether a file with that stamp is certainly the same.
    pub(crate) fn is_certainly(&self, stamp: &Stamp) -> bool {
        matches!(self.proof, Proof::Stamp) && self.stamp == *stamp
    }

    /// Whether a version that was read is the same.
    pub(crate) fn is(&self, stamp: &Stamp, bytes: &[u8]) -> bool {
        self.stamp == *stamp
            && match self.proof {
                Proof::Stamp => true,
                Proof::Bytes { hash: before, .. } => before == hash(bytes),
                Proof::None => false,
            }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::disk;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A file whose time of the last change was set, just now.
    fn dated(modified: SystemTime) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flags.json");
        fs::write(&path, "a").expect("written");
        let file = fs::File::options().write(true).open(&path).expect("opened");
        file.set_modified(modified).expect("set");
        (directory, path)
    }

    fn stamp(path: &Path) -> Stamp {
        match disk::stamp(path) {
            Ok(disk::Found::File(stamp)) => stamp,
            other => panic!("{other:?}"),
        }
    }

    /// As `cp -p`, `rsync --inplace -t` and `tar` do: the next one, within the same tick, would
    /// leave the same stamp.
    #[cfg(unix)]
    #[test]
    fn a_time_that_was_set_back_proves_nothing() {
        let (_directory, path) = dated(SystemTime::now() - HOUR);
        let now = Moment::now();
        let seen = Seen::read(stamp(&path), b"a", now, None);
        assert!(!seen.is_certainly(&stamp(&path)));
        assert!(seen.is(&stamp(&path), b"a") && !seen.is(&stamp(&path), b"b"));
        let later = Moment { wall: now.wall + HOUR, ..now };
        assert!(Seen::read(stamp(&path), b"a", later, None).is_certainly(&stamp(&path)));
    }

    #[test]
    fn a_time_in_the_future_is_settled_by_a_second_look_after_a_tick() {
        let (_directory, path) = dated(SystemTime::now() + HOUR);
        let stamp = stamp(&path);
        let first = Seen::read(stamp, b"a", Moment::now(), None);
        let at_once = Seen::read(stamp, b"a", Moment::now(), Some(&first));
        assert!(!first.is_certainly(&stamp) && !at_once.is_certainly(&stamp));
        // The looks in between do not begin it anew.
        let after = Moment { steady: Instant::now() + COARSE_TICK, ..Moment::now() };
        assert!(Seen::read(stamp, b"a", after, Some(&at_once)).is_certainly(&stamp));
        assert!(!Seen::read(stamp, b"a", after, None).is_certainly(&stamp), "it was not there a tick ago");
    }
}
