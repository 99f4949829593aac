//! Following the file for watches.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use flags_core::storage::{BoxStream, Change};
use flags_core::watch::{ChangeStream, DEFAULT_BOUND};
use flags_core::{Error, ErrorKind, Result};
use futures_util::StreamExt;

use super::blocking::answer;
use super::eyes::{Eyes, Mode};
use super::shared::{Shared, lock};

/// How long the file may be broken or gone until that is told: some editors, and git, remove or
/// empty it before they write it.
const GRACE: Duration = Duration::from_millis(200);

/// A thread that looks at the file whenever something happens near it. Ends when this is dropped.
#[derive(Debug)]
pub(super) struct Follower {
    signals: Sender<Signal>,
    mode: Arc<Mutex<Mode>>,
}

#[derive(Debug)]
pub(super) enum Signal {
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
    let mut link = Link::default();
    while let Some(shared) = store.upgrade()
        && !shared.is_closed()
    {
        // First, so that what happens after the look is noticed too.
        eyes.turn(&shared);
        link.look(&shared);
        drop(shared);
        let interval = lock(&eyes.mode).interval();
        match signals.recv_timeout(link.until_next_look(interval)) {
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

/// Whether watches follow the file.
#[derive(Default)]
struct Link {
    /// Since when the file cannot be read, or holds no document.
    faulty_since: Option<Instant>,
    /// Whether the watches were told.
    is_lost: bool,
}

impl Link {
    /// Reads the file if it changed. Watches are told where it cannot be followed: what is served
    /// then is the last good state, and whoever serves it should know that it may be old.
    fn look(&mut self, shared: &Shared) {
        let mut publishing = shared.publishing();
        let follows = shared.sync(&mut publishing).is_ok_and(|view| view.fault.is_none());
        self.faulty_since = if follows { None } else { self.faulty_since.or_else(|| Some(Instant::now())) };
        let is_lost = self.faulty_since.is_some_and(|since| since.elapsed() >= GRACE);
        if is_lost != self.is_lost {
            self.is_lost = is_lost;
            publishing.wake_later(if is_lost { shared.hub.lost() } else { shared.hub.resync() });
        }
    }

    fn until_next_look(&self, interval: Duration) -> Duration {
        match self.faulty_since {
            Some(since) if !self.is_lost => interval.min(GRACE.saturating_sub(since.elapsed())),
            _ => interval,
        }
    }
}

pub(super) async fn watch(shared: &Arc<Shared>) -> Result<BoxStream<'static, Change>> {
    shared.check_open()?;
    let following = Arc::clone(shared);
    let subscribed = shared.watchers.ask((), move |watchers| {
        // Each asks the file by itself, since errors cannot be cloned.
        watchers.drain(..).for_each(|watcher| watcher.answer(subscribe(&following)));
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
    let view = shared.sync(&mut publishing).map_err(|fault| fault.error())?;
    match &view.fault {
        // It would follow nothing, and not be told so: the others were told before.
        Some(fault) => Err(fault.error()),
        None => Ok(shared.hub.subscribe(DEFAULT_BOUND)),
    }
}
