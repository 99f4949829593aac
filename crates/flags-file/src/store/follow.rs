//! Following the file for watches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use flags_core::storage::{BoxStream, Change};
use flags_core::watch::{ChangeStream, DEFAULT_BOUND};
use flags_core::{Error, ErrorKind, Result};
use futures_util::StreamExt;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::blocking::answer;
use super::shared::{Shared, lock};
use crate::disk::directories;

/// How often the file is looked at although nobody told of a change: a directory that is moved away tells nobody.
const LOOK: Duration = Duration::from_secs(2);

/// How often it is looked at where the file system cannot tell of changes.
const POLL: Duration = Duration::from_millis(500);

/// How changes are noticed.
#[derive(Debug, Clone)]
pub(super) enum Mode {
    Notifications,
    Polling(Duration),
    /// Notifications were asked for, and are not to be had.
    NoNotifications(String),
}

impl Mode {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Polling(_) | Self::NoNotifications(_) => "polling",
        }
    }

    pub(super) fn warning(&self) -> Option<String> {
        match self {
            Self::NoNotifications(why) => {
                Some(format!("the file system cannot tell of changes, so watches look every {POLL:?}: {why}"))
            }
            _ => None,
        }
    }

    fn interval(&self) -> Duration {
        match self {
            Self::Notifications => LOOK,
            Self::Polling(interval) => *interval,
            Self::NoNotifications(_) => POLL,
        }
    }
}

/// A thread that looks at the file whenever something happens near it. Ends when this is dropped.
#[derive(Debug)]
pub(super) struct Follower {
    signals: Sender<Signal>,
    mode: Arc<Mutex<Mode>>,
}

#[derive(Debug)]
enum Signal {
    /// Something happened.
    Look,
    Stop,
}

impl Drop for Follower {
    fn drop(&mut self) {
        // The thread may have ended with the store.
        let _ = self.signals.send(Signal::Stop);
    }
}

impl Follower {
    pub(super) fn mode(&self) -> Mode {
        lock(&self.mode).clone()
    }

    /// Returns once every change from here on will be noticed.
    fn start(shared: &Arc<Shared>) -> std::io::Result<Self> {
        let (signals, received) = channel();
        let mut eyes = Eyes::open(shared.options.poll_interval, &signals);
        eyes.turn(shared);
        let (mode, store) = (Arc::clone(&eyes.mode), Arc::downgrade(shared));
        let name = "flags-file".to_owned();
        std::thread::Builder::new().name(name).spawn(move || follow(&store, &received, eyes))?;
        Ok(Self { signals, mode })
    }
}

fn follow(store: &Weak<Shared>, signals: &Receiver<Signal>, mut eyes: Eyes) {
    let mut lost = false;
    while let Some(shared) = store.upgrade()
        && !shared.is_closed()
    {
        // First, so that what happens after the look is noticed too.
        eyes.turn(&shared);
        look(&shared, &mut lost);
        drop(shared);
        let interval = lock(&eyes.mode).interval();
        match signals.recv_timeout(interval) {
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Signal::Look) | Err(RecvTimeoutError::Timeout) => {}
        }
        // One look answers all that came meanwhile.
        while let Ok(signal) = signals.try_recv() {
            if matches!(signal, Signal::Stop) {
                return;
            }
        }
    }
}

/// Reads the file if it changed. Watches are told where it cannot be followed.
fn look(shared: &Shared, lost: &mut bool) {
    let mut publishing = shared.publishing();
    let synced = shared.sync(&mut publishing);
    let wake = match (synced, *lost) {
        (Err(_), false) => shared.hub.lost(),
        (Ok(_), true) => shared.hub.resync(),
        _ => return,
    };
    *lost = !*lost;
    publishing.wake_later(wake);
}

/// Where a change of the file would show, and who tells of it.
struct Eyes {
    mode: Arc<Mutex<Mode>>,
    watcher: Option<RecommendedWatcher>,
    /// Each directory, and which one it was when it was first looked at.
    directories: BTreeMap<PathBuf, Option<Inode>>,
}

/// Which of the directories that ever had one path; elsewhere than on Unix, all of them.
type Inode = (u64, u64);

fn inode(directory: &Path) -> Option<Inode> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        directory.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        directory.is_dir().then_some((0, 0))
    }
}

impl Eyes {
    fn open(poll_interval: Option<Duration>, signals: &Sender<Signal>) -> Self {
        let eyes =
            |mode, watcher| Self { mode: Arc::new(Mutex::new(mode)), watcher, directories: BTreeMap::new() };
        if let Some(interval) = poll_interval {
            return eyes(Mode::Polling(interval), None);
        }
        let signals = signals.clone();
        let told = move |event: notify::Result<notify::Event>| {
            // Reading the file is an event as well, our own reading too.
            if !matches!(event, Ok(notify::Event { kind: EventKind::Access(_), .. })) {
                // Nobody is left to be told once the thread has ended.
                let _ = signals.send(Signal::Look);
            }
        };
        match notify::recommended_watcher(told) {
            Ok(watcher) => eyes(Mode::Notifications, Some(watcher)),
            Err(error) => eyes(Mode::NoNotifications(error.to_string()), None),
        }
    }

    /// Looks where the file is now: links and directories come and go.
    fn turn(&mut self, shared: &Shared) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted: BTreeMap<PathBuf, Option<Inode>> = directories(&shared.options.path)
            .into_iter()
            .filter_map(|directory| directory.canonicalize().ok())
            .map(|directory| (directory.clone(), inode(&directory)))
            .collect();
        for (directory, which) in &self.directories {
            if wanted.get(directory) != Some(which) {
                // It may have gone by itself.
                let _ = watcher.unwatch(directory);
            }
        }
        let mut mode = Mode::Notifications;
        let mut watched = BTreeMap::new();
        for (directory, which) in wanted {
            if self.directories.get(&directory) != Some(&which)
                && let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive)
            {
                // Too many watches, or the directory has just gone: the next turn tries again.
                mode = Mode::NoNotifications(error.to_string());
                continue;
            }
            watched.insert(directory, which);
        }
        self.directories = watched;
        *lock(&self.mode) = mode;
    }
}

pub(super) async fn watch(shared: &Arc<Shared>) -> Result<BoxStream<'static, Change>> {
    shared.check_open()?;
    let following = Arc::clone(shared);
    let subscribed = shared.watchers.ask((), move |watchers| {
        // Each asks the file by itself, since errors cannot be cloned.
        watchers.into_iter().for_each(|watcher| watcher.answer(subscribe(&following)));
    })?;
    let stream = answer(shared.options.deadline, subscribed).await??;
    // Had it been closed meanwhile, nobody would end this watch.
    shared.check_open()?;
    Ok(stream.boxed())
}

/// A watch that begins now. Waits for the disk; one thread does so at a time.
fn subscribe(shared: &Arc<Shared>) -> Result<ChangeStream> {
    let follows = lock(&shared.follower).is_some();
    if !follows {
        // Without the lock: whoever closes the store or asks for its health does not wait for the disk.
        let started = Follower::start(shared).map_err(|error| {
            let reason = "no thread could be started to follow the file; try again";
            Error::new(ErrorKind::Unavailable, reason).with_source(error)
        })?;
        *lock(&shared.follower) = Some(Arc::new(started));
    }
    let mut publishing = shared.publishing();
    shared.sync(&mut publishing).map_err(|fault| fault.error())?;
    Ok(shared.hub.subscribe(DEFAULT_BOUND))
}
