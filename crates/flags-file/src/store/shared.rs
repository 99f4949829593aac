//! [`Shared`]: what the handles of one opening share, and how it follows the file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use flags_core::storage::{Capability, Descriptor};
use flags_core::watch::{ChangeHub, ChangeStream, Wake};
use flags_core::{Key, Result};

use super::blocking::answer;
use super::commit::Queue;
use super::follow::Follower;
use super::turns::Turns;
use super::view::View;
use crate::contents::Contents;
use crate::disk::{self, Found};
use crate::fault::{Cause, Doing, Fault};
use crate::options::Options;

/// How long an empty file is waited for when it is opened, and how often it is looked at meanwhile.
const PATIENCE: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(5);

/// What the handles of one opening share.
pub(super) struct Shared {
    pub(super) descriptor: Descriptor,
    pub(super) options: Options,
    pub(super) hub: ChangeHub,
    pub(super) queue: Queue,
    pub(super) follower: Mutex<Option<Arc<Follower>>>,
    pub(super) watchers: Turns<(), Result<ChangeStream>>,
    /// Readers that wait for a look at the file.
    looks: Turns<(), Result<Arc<View>, Fault>>,
    view: ArcSwap<View>,
    /// Held by whoever makes the next view.
    publishing: Mutex<()>,
    closed: AtomicBool,
}

/// The right to make the next view. Watches that were told of it wake when it is given up.
pub(super) struct Publishing<'a> {
    // In this order: readers wake once the lock is free, since they may call the store.
    _guard: MutexGuard<'a, ()>,
    wakes: Vec<Wake>,
}

/// No lock here guards anything that a panic could leave half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Reads the file for the first time, when a broken one is an error.
    pub(super) fn open(options: Options) -> Result<Self, Fault> {
        let descriptor = Descriptor::new("file")
            .with(Capability::Durable)
            .with(Capability::Shared)
            .with(Capability::Watch)
            .with_limits(options.limits.clone());
        let shared = Self {
            descriptor,
            options,
            hub: ChangeHub::new(),
            queue: Queue::default(),
            follower: Mutex::default(),
            watchers: Turns::default(),
            looks: Turns::default(),
            view: ArcSwap::default(),
            publishing: Mutex::default(),
            closed: AtomicBool::new(false),
        };
        let begun = Instant::now();
        let patience = PATIENCE.min(shared.options.deadline / 2);
        loop {
            let view = shared.sync(&mut shared.publishing())?;
            match &view.fault {
                None => return Ok(shared),
                Some(_) if view.is_of_an_empty_file() && begun.elapsed() < patience => {
                    std::thread::sleep(PAUSE);
                }
                Some(fault) => return Err(fault.clone()),
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(flags_core::Error::closed()) } else { Ok(()) }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        lock(&self.follower).take();
        // What it held is freed; readers that hold a snapshot keep theirs.
        self.view.store(Arc::default());
        drop(self.hub.close());
    }

    pub(super) fn fault(&self, cause: Cause) -> Fault {
        Fault::new(&self.options.path, cause)
    }

    /// What the file holds now. Waits for a thread only where it may have changed.
    ///
    /// Whether it has is asked here and now: it takes a microsecond on a local disk, and a thread
    /// that asks in time would take ten.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Arc<View>> {
        self.check_open()?;
        let view = self.view.load_full();
        match disk::stamp(&self.options.path) {
            Ok(found) if view.is_certainly(&found) => return Ok(view),
            Ok(_) => {}
            Err(error) => return Err(Fault::io(&self.options.path, Doing::Read, error).error()),
        }
        // Its own look begins after this, so it sees what was committed before. However many wait, one thread
        // looks.
        let shared = Arc::clone(self);
        let looked = self.looks.ask((), move |readers| {
            let synced = shared.sync(&mut shared.publishing());
            readers.drain(..).for_each(|reader| reader.answer(synced.clone()));
        })?;
        answer(self.options.deadline, looked).await?.map_err(|fault| fault.error())
    }

    /// Waits for the right to make the next view.
    pub(super) fn publishing(&self) -> Publishing<'_> {
        Publishing { _guard: lock(&self.publishing), wakes: Vec::new() }
    }

    /// Reads the file again if it changed, and tells the watches how.
    pub(super) fn sync(&self, publishing: &mut Publishing<'_>) -> Result<Arc<View>, Fault> {
        if self.is_closed() {
            return Err(self.fault(Cause::Closed));
        }
        let path = &self.options.path;
        let unreadable = |error| Fault::io(path, Doing::Read, error);
        let view = self.view.load_full();
        if view.is_certainly(&disk::stamp(path).map_err(unreadable)?) {
            return Ok(view);
        }
        let (bytes, seen) = match disk::read(path, view.seen.as_ref()).map_err(unreadable)? {
            Found::File(read) => read,
            Found::Nothing => return self.missing(view, publishing),
            Found::Irregular => return Ok(self.without_file(view, Cause::Irregular, publishing)),
        };
        if view.seen.is_some_and(|before| before.is(&seen.stamp, &bytes)) {
            return Ok(self.publish(view.seen_again(seen), &[], publishing));
        }
        match Contents::parse(&bytes, &view.contents) {
            Ok(contents) => {
                let changed = contents.changed_since(&view.contents);
                let next = View { contents, seen: Some(seen), fault: None };
                Ok(self.publish(next, &changed, publishing))
            }
            Err(broken) => {
                let fault = self.fault(Cause::Broken(broken));
                Ok(self.publish(view.faulty(Some(seen), fault), &[], publishing))
            }
        }
    }

    /// There is no file: not yet, or not any more.
    fn missing(&self, view: Arc<View>, publishing: &mut Publishing<'_>) -> Result<Arc<View>, Fault> {
        let directory = self.options.path.parent();
        if directory.is_none_or(|directory| !directory.is_dir()) {
            return Err(self.fault(Cause::NoDirectory));
        }
        if view.seen.is_none() && view.fault.is_none() {
            return Ok(view);
        }
        Ok(self.without_file(view, Cause::Gone, publishing))
    }

    /// The last good contents, of a file that is not there.
    fn without_file(&self, view: Arc<View>, cause: Cause, publishing: &mut Publishing<'_>) -> Arc<View> {
        let fault = self.fault(cause);
        if view.seen.is_none() && view.fault.as_ref().is_some_and(|before| before.is_like(&fault)) {
            return view;
        }
        self.publish(view.faulty(None, fault), &[], publishing)
    }

    /// Makes that the view, and tells the watches of what changed.
    pub(super) fn publish(&self, view: View, changed: &[Key], publishing: &mut Publishing<'_>) -> Arc<View> {
        let view = Arc::new(view);
        self.view.store(Arc::clone(&view));
        // Under the lock, so that watches see changes in their order.
        publishing.wakes.push(self.hub.changed(changed));
        view
    }
}

impl Publishing<'_> {
    /// Readers to wake once the lock is free.
    pub(super) fn wake_later(&mut self, wake: Wake) {
        self.wakes.push(wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use flags_core::{ErrorKind, Storage as _};
    use futures_util::future::join_all;

    use crate::FileStorage;

    const BOUND: Duration = Duration::from_secs(60);

    /// As when the file system does not answer: a look takes longer than the deadline of everybody.
    /// Readers take a thread, watches another one.
    #[test]
    fn however_many_wait_for_a_look_one_thread_does() {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(3).build().expect("a runtime");
        runtime.block_on(async {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("flags.json");
            let builder = FileStorage::builder(&path).deadline(Duration::from_millis(200));
            let storage = builder.open().await.expect("opened");
            std::fs::write(&path, r#"{"version": 1}"#).expect("written");
            let (tell, told) = channel();
            let (go_on, may_go_on) = channel::<()>();
            let shared = std::sync::Arc::clone(&storage.shared);
            let stuck = std::thread::spawn(move || {
                let publishing = shared.publishing();
                tell.send(()).expect("somebody listens");
                may_go_on.recv().expect("it may go on");
                drop(publishing);
            });
            told.recv_timeout(BOUND).expect("it is stuck");

            for answer in join_all((0..200).map(|_| storage.get(&[]))).await {
                assert_eq!(answer.expect_err("no look").kind(), ErrorKind::Unavailable);
            }
            assert_eq!(storage.watch().await.map(drop).expect_err("no look").kind(), ErrorKind::Unavailable);
            let others = tokio::time::timeout(BOUND, tokio::task::spawn_blocking(|| 1)).await;
            go_on.send(()).expect("it goes on");
            stuck.join().expect("no panic");
            assert_eq!(others.expect("the application has threads left").expect("no panic"), 1);
            // All is well once it answers.
            while storage.get(&[]).await.is_err() {}
        });
    }
}
