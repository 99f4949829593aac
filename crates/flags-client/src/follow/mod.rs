//! The task behind a client: it owns the replica, and is the only one to change it.
//!
//! One read of the store is under way at a time, so reads are installed in the order in which they
//! began, and none is ever overtaken by an older one. What is invalidated while a read is under way
//! is never installed from it, be it known or new, but read again; and as long as what a listing
//! had to pass over is not read, the replica is not in step.

mod fetch;
mod freshness;
mod invalidated;
mod last_flag;
mod news;
mod overtaken;
mod publish;
mod saving;
mod startup;
#[cfg(test)]
mod tests;
mod times;
mod work;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use flags_core::{Clock, Error, Result, Timestamp};
use flags_engine::Semantics;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use self::freshness::Staleness;
use self::invalidated::Invalidated;
use self::last_flag::LastFlag;
use self::news::Link;
use self::overtaken::Overtaken;
use self::saving::{Saving, saved};
use self::startup::Starting;
use self::work::{Done, under_way};
use crate::backoff::{Backoff, Pace};
use crate::client::Command;
use crate::link;
use crate::replica::{Replica, Touched};
use crate::save::SavedFile;
use crate::shared::Shared;
use crate::timer::Timer;

/// What a follower goes by.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) semantics: Semantics,
    pub(crate) poll_interval: Duration,
    pub(crate) save_interval: Duration,
    pub(crate) retry: Pace,
    pub(crate) file: Option<SavedFile>,
}

pub(crate) struct Follower {
    shared: Arc<Shared>,
    settings: Settings,
    commands: mpsc::Receiver<Command>,
    starting: Option<Starting>,
    replica: Replica,
    link: Link,
    /// Why the store tells of no changes, where it would to others.
    unwatched: Option<Arc<Error>>,
    invalidated: Invalidated,
    overtaken: Overtaken,
    wants_reload: bool,
    resyncs: u64,
    /// Everything was read since the last resync.
    synced: bool,
    /// The store was read at least once.
    read: bool,
    /// What changed in the replica since it was published.
    unpublished: Touched,
    store_emptied: bool,
    accepts_empty: bool,
    last_flag: LastFlag,
    closed: bool,
    backoff: Backoff,
    /// Of taking in what was read.
    mishaps: Backoff,
    retry_at: Option<Timestamp>,
    poll_at: Option<Timestamp>,
    save_at: Option<Timestamp>,
    /// Before this nothing is saved again.
    rested_at: Timestamp,
    look_at: Option<Timestamp>,
    /// The latest instant that the clock told.
    told: Timestamp,
    stale: Option<Staleness>,
    /// The file of the last saved state could not be read, and is not replaced by an empty one.
    spares_file: bool,
    saving: Option<Saving>,
}

impl Follower {
    pub(crate) fn new(
        shared: Arc<Shared>,
        settings: Settings,
        commands: mpsc::Receiver<Command>,
        starting: Option<(Duration, oneshot::Sender<Result<()>>)>,
    ) -> Self {
        let now = shared.clock.now();
        let starting =
            starting.map(|(deadline, tell)| Starting { deadline: now.saturating_add(deadline), tell });
        Self {
            replica: Replica::new(settings.semantics),
            backoff: Backoff::new(settings.retry),
            mishaps: Backoff::new(settings.retry),
            shared,
            settings,
            commands,
            starting,
            link: Link::Connecting,
            unwatched: None,
            invalidated: Invalidated::default(),
            overtaken: Overtaken::default(),
            wants_reload: false,
            resyncs: 0,
            synced: false,
            read: false,
            unpublished: Touched::default(),
            store_emptied: false,
            accepts_empty: false,
            last_flag: LastFlag::default(),
            closed: false,
            retry_at: None,
            poll_at: None,
            save_at: None,
            rested_at: now,
            look_at: None,
            told: now,
            stale: None,
            spares_file: false,
            saving: None,
        }
    }

    /// Follows the store until every handle is gone, or one says so.
    pub(crate) async fn run(mut self) {
        let (storage, clock) = (Arc::clone(&self.shared.storage), Arc::clone(&self.shared.clock));
        let mut news = link::follow(storage, Arc::clone(&clock), self.settings.retry).fuse();
        let mut work: Option<BoxFuture<'static, Done>> = None;
        let mut timer = Timer::default();
        let closing = loop {
            self.notice_set_back();
            if work.is_none() {
                work = self.next_work();
            }
            if self.closed {
                self.serve_saved(self.now()).await;
            }
            self.look_later();
            self.release();
            self.tell_freshness();
            timer.set(&clock, self.wakes_at(work.is_some()));
            let told = self.told;
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::AcceptEmpty(done)) => {
                        // Asked again, lest flags that came back meanwhile are dropped.
                        self.accepts_empty = self.store_emptied;
                        self.wants_reload |= self.store_emptied;
                        // Nobody waits any more: then nobody needs to know.
                        let _ = done.send(());
                    }
                    Some(Command::Close(done)) => break Some(done),
                    None => break None,
                },
                Some(one) = news.next() => {
                    self.hear(one);
                    self.hear_ready(&mut news);
                }
                done = under_way(&mut work) => {
                    work = None;
                    // What is known to have changed meanwhile is not installed.
                    self.hear_ready(&mut news);
                    self.take_in(done).await;
                }
                saved = saved(&mut self.saving) => self.has_saved(saved),
                () = timer.went_off() => self.on_time().await,
                // Some clocks wake whoever sleeps by them when they are set.
                () = set_back(&clock, told) => {}
            }
        };
        self.end(closing).await;
    }

    /// What is still to be saved is saved. The rest happens whatever ends the task, when it is dropped.
    async fn end(mut self, closing: Option<oneshot::Sender<()>>) {
        if self.saving.is_some() {
            let _ = saved(&mut self.saving).await;
            self.saving = None;
        }
        if self.save_at.is_some() {
            self.saving = self.save().await;
            let _ = saved(&mut self.saving).await;
        }
        drop(self);
        if let Some(closing) = closing {
            let _ = closing.send(());
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

/// Ends where the clock tells an earlier instant, as soon as anything wakes the task.
async fn set_back(clock: &Arc<dyn Clock>, told: Timestamp) {
    poll_fn(|_| if clock.now() < told { Poll::Ready(()) } else { Poll::Pending }).await;
}

impl Drop for Follower {
    /// Also with the runtime, or by a panic of the store: whoever still holds a handle is told that nobody
    /// follows any more.
    fn drop(&mut self) {
        self.closed = true;
        self.tell_freshness();
        self.shared.events.end();
    }
}
