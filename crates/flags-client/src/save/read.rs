//! Reading the file, which must not keep a client from starting.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use flags_core::transfer::Document;
use flags_core::{Clock, Error, ErrorKind, Result, Timestamp};
use tokio::task::spawn_blocking;

use super::{SAVED_AT, Saved, irregular};

/// A disk of which nothing comes for so long is not waited for: it may never answer, as one of a
/// network that is gone. However large a file is, and however slow, something comes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reads the file, once at a time: a thread that the disk holds cannot be stopped, and no further
/// ones are to end there.
#[derive(Debug, Default)]
pub(super) struct Reader {
    is_busy: AtomicBool,
}

impl Reader {
    /// The file, if there is one; an error where nothing comes of it.
    pub(super) async fn read(self: &Arc<Self>, path: PathBuf, clock: &dyn Clock) -> Result<Option<Saved>> {
        let Some(turn) = Turn::of(self) else { return Err(stuck(&path)) };
        let progress = Arc::new(Progress::default());
        let reading = {
            let (path, progress) = (path.clone(), Arc::clone(&progress));
            spawn_blocking(move || {
                let _turn = turn;
                read(&path, &progress)
            })
        };
        match as_long_as_it_gets_on(reading, &progress, clock).await {
            Some(Ok(read)) => read,
            Some(Err(end)) => {
                let error = Error::new(ErrorKind::Unavailable, "reading the last saved state was cut short");
                Err(error.with_source(end))
            }
            None => Err(stuck(&path)),
        }
    }
}

/// Whoever has it may read.
struct Turn(Arc<Reader>);

impl Turn {
    fn of(reader: &Arc<Reader>) -> Option<Self> {
        let is_mine = !reader.is_busy.swap(true, Ordering::AcqRel);
        is_mine.then(|| Self(Arc::clone(reader)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Release);
    }
}

/// How far a read has come.
#[derive(Debug, Default)]
struct Progress {
    steps: AtomicU64,
    /// Everything was read, and the rest needs no disk.
    is_read: AtomicBool,
}

/// What that comes to; `None` where the read behind it does not get on.
async fn as_long_as_it_gets_on<T>(
    work: impl Future<Output = T>,
    progress: &Progress,
    clock: &dyn Clock,
) -> Option<T> {
    let mut work = pin!(work);
    let mut before = 0;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = clock.sleep(PATIENCE) => {}
        }
        let steps = progress.steps.load(Ordering::Relaxed);
        if steps == before && !progress.is_read.load(Ordering::Relaxed) {
            return None;
        }
        before = steps;
    }
}

/// Counts what comes of the disk.
struct Counting<'a>(File, &'a AtomicU64);

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer);
        self.1.fetch_add(1, Ordering::Relaxed);
        read
    }
}

/// Reads the file, if there is one. Blocks.
fn read(path: &Path, progress: &Progress) -> Result<Option<Saved>> {
    let unreadable = |e: io::Error| {
        let reason = format!("the last saved state in {} cannot be read: {}", path.display(), e.kind());
        Error::new(ErrorKind::Unavailable, reason).with_source(e)
    };
    // Before it is opened, since to open a pipe is to wait for somebody who writes.
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => return Err(irregular(path)),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let file = File::open(path).map_err(unreadable)?;
    let there = file.metadata().map_err(unreadable)?;
    let mut json = Vec::new();
    let length = usize::try_from(there.len()).unwrap_or_default();
    json.try_reserve_exact(length).map_err(|e| unreadable(e.into()))?;
    Counting(file, &progress.steps).read_to_end(&mut json).map_err(unreadable)?;
    progress.is_read.store(true, Ordering::Relaxed);
    let document = Document::from_json(&json)?;
    let at = match document.extra.get(SAVED_AT).and_then(|at| at.to().ok()) {
        Some(at) => at,
        None => there.modified().map(Timestamp::from).map_err(unreadable)?,
    };
    Ok(Some(Saved { records: document.records().collect(), at }))
}

fn stuck(path: &Path) -> Error {
    let reason = format!(
        "nothing comes of reading {}: is its disk there? Name a file on a local one for the last saved state",
        path.display()
    );
    Error::new(ErrorKind::Unavailable, reason)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use flags_core::ManualClock;
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_read_is_waited_for_as_long_as_it_gets_on() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let progress = Progress::default();
        let mut waiting = pin!(as_long_as_it_gets_on(pending::<()>(), &progress, &clock));
        for _ in 0..10 {
            assert_eq!(waiting.as_mut().now_or_never(), None, "something came since");
            progress.steps.fetch_add(1, Ordering::Relaxed);
            clock.advance(PATIENCE);
        }
        assert_eq!(waiting.as_mut().now_or_never(), None);
        clock.advance(PATIENCE);
        assert_eq!(waiting.as_mut().now_or_never(), Some(None));
        // What is read is yet to be understood.
        progress.is_read.store(true, Ordering::Relaxed);
        let mut waiting = pin!(as_long_as_it_gets_on(pending::<()>(), &progress, &clock));
        for _ in 0..10 {
            assert_eq!(waiting.as_mut().now_or_never(), None);
            clock.advance(PATIENCE);
        }
    }

    #[tokio::test]
    async fn one_that_is_stuck_is_not_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("flags.json");
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let reader = Arc::new(Reader::default());
        let turn = Turn::of(&reader).expect("nobody reads it");
        let error = reader.read(path.clone(), &clock).await.expect_err("somebody else is stuck there");
        assert!(error.to_string().contains("flags.json"), "{error}");
        drop(turn);
        for _ in 0..2 {
            assert!(reader.read(path.clone(), &clock).await.expect("no failure").is_none());
        }
    }
}
