//! [`Eyes`]: where a change of the file would show, and how it is noticed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::follow::Signal;
use super::shared::{Shared, lock};
use crate::disk::directories;

/// How often the file is looked at although nobody told of a change: a directory that is moved away
/// tells nobody.
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

    pub(super) fn interval(&self) -> Duration {
        match self {
            Self::Notifications => LOOK,
            Self::Polling(interval) => *interval,
            Self::NoNotifications(_) => POLL,
        }
    }
}

/// Where a change of the file would show, and who tells of it.
pub(super) struct Eyes {
    pub(super) mode: Arc<Mutex<Mode>>,
    watcher: Option<RecommendedWatcher>,
    /// Each directory, and which one it was when it was first looked at.
    directories: BTreeMap<PathBuf, Option<Inode>>,
}

/// Which of the directories that ever had one path, also where the number of one that is gone is given
/// to the next. Elsewhere than on Unix, when it was made.
type Inode = (u64, u64, Option<SystemTime>);

fn inode(directory: &Path) -> Option<Inode> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = directory.metadata().ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
    }
    #[cfg(not(unix))]
    {
        Some((0, 0, directory.metadata().ok()?.created().ok()))
    }
}

impl Eyes {
    pub(super) fn open(poll_interval: Option<Duration>, signals: &Sender<Signal>) -> Self {
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
    pub(super) fn turn(&mut self, shared: &Shared) {
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
