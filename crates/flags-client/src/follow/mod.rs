//! The task behind a client: it owns the replica, and is the only one to change it.
//!
//! One read of the store is under way at a time, so reads are installed in the order in which they began, and
//! none is ever overtaken by an older one. What is invalidated while a read is under way is not installed from it, but
//! read again.

mod fetch;
mod freshness;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use flags_core::{Error, ErrorKind, Key, Result, Timestamp};
use flags_engine::Semantics;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};

use self::freshness::Staleness;
use crate::backoff::{Backoff, Pace, jittered};
use crate::client::Command;
use crate::events::ClientEvent;
use crate::freshness::{Freshness, StaleCause};
use crate::link::{self, News};
use crate::on_demand::Entity;
use crate::replica::{Found, Listed, Replica, Touched};
use crate::save::SavedFile;
use crate::shared::Shared;
use crate::state::State;
use crate::timer::Timer;

/// So many changes are heard before anything is done about them.
const DRAINED_AT_ONCE: usize = 10_000;
/// More changes than this are compiled on a thread of their own: the task must not keep others waiting.
const MANY: usize = 1_000;

/// What a follower goes by.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) semantics: Semantics,
    pub(crate) poll_interval: Duration,
    pub(crate) save_interval: Duration,
    pub(crate) retry: Pace,
    pub(crate) file: Option<SavedFile>,
}

/// Who waits for the first load, and until when the store alone is waited for.
#[derive(Debug)]
struct Starting {
    deadline: Timestamp,
    tell: oneshot::Sender<Result<()>>,
}

/// Whether changes are heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Connecting,
    Following,
    Lost,
    /// There will never be any news: everything is read again and again.
    Polling,
}

/// What a read of the store came to.
enum Done {
    /// Everything, asked for after so many resyncs.
    Listed(u64, Result<Listed>),
    Fetched(Vec<Key>, Result<Vec<Found>>),
}

pub(crate) struct Follower {
    shared: Arc<Shared>,
    settings: Settings,
    commands: mpsc::Receiver<Command>,
    starting: Option<Starting>,
    replica: Replica,
    link: Link,
    /// Changed since they were read.
    invalidated: HashSet<Key>,
    wants_reload: bool,
    resyncs: u64,
    /// Everything was read since the last resync.
    synced: bool,
    /// The store was read at least once.
    read: bool,
    store_emptied: bool,
    accepts_empty: bool,
    closed: bool,
    backoff: Backoff,
    retry_at: Option<Timestamp>,
    poll_at: Option<Timestamp>,
    save_at: Option<Timestamp>,
    stale: Option<Staleness>,
    saving: Option<JoinHandle<Result<()>>>,
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
            shared,
            settings,
            commands,
            starting,
            link: Link::Connecting,
            invalidated: HashSet::new(),
            wants_reload: false,
            resyncs: 0,
            synced: false,
            read: false,
            store_emptied: false,
            accepts_empty: false,
            closed: false,
            retry_at: None,
            poll_at: None,
            save_at: None,
            stale: None,
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
            if work.is_none() {
                work = self.next_work();
            }
            self.tell_freshness();
            timer.set(&clock, self.wakes_at(work.is_some()));
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
                saved = saved(&mut self.saving) => {
                    self.saving = None;
                    self.shared.file_error.store(saved.err().map(Arc::new));
                }
                () = timer.went_off() => self.on_time().await,
            }
        };
        self.end(closing).await;
    }

    /// Hears what is waiting, up to a bound.
    fn hear_ready(&mut self, news: &mut (impl futures_core::Stream<Item = News> + Unpin)) {
        for _ in 0..DRAINED_AT_ONCE {
            match news.next().now_or_never() {
                Some(Some(one)) => self.hear(one),
                _ => return,
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Changed(key) => self.invalidate(key),
            News::Resync => {
                self.link = Link::Following;
                self.resyncs += 1;
                self.synced = false;
                self.wants_reload = true;
                self.poll_at = None;
                // The store answers again: no reason to wait any longer.
                self.retry_at = None;
                if let Some(on_demand) = &self.shared.on_demand {
                    on_demand.resync();
                }
            }
            News::Lost(error) => {
                self.link = Link::Lost;
                self.synced = false;
                // Without news there is still the asking; at once, if there is nothing to serve yet.
                self.wants_reload |= !self.read;
                self.poll_later();
                if let Some(error) = error {
                    self.closed |= error.kind() == ErrorKind::Closed;
                    self.shared.store_error.store(Some(Arc::new(error)));
                }
            }
            News::Unwatched => {
                self.link = Link::Polling;
                self.wants_reload = true;
            }
        }
    }

    fn invalidate(&mut self, key: Key) {
        if let (Some(on_demand), Key::Override(_, entity_type, entity_id)) = (&self.shared.on_demand, &key) {
            on_demand.invalidate(&Entity::new(entity_type.clone(), entity_id.clone()));
            self.shared.tell_changed(self.replica.owner_of(&key).cloned().into_iter().collect());
            return;
        }
        // A key that is longer than the store takes names nothing that it would answer.
        let limit = self.shared.storage.descriptor().limits().key_bytes;
        if fetch::is_needed(&key) && key.text_len() <= limit {
            self.invalidated.insert(key);
        }
    }

    /// The next read, if there is one to make and it may be made.
    fn next_work(&mut self) -> Option<BoxFuture<'static, Done>> {
        if self.closed || self.retry_at.is_some_and(|at| at > self.now()) {
            return None;
        }
        let storage = Arc::clone(&self.shared.storage);
        if self.wants_reload {
            self.wants_reload = false;
            // What changed before is in what is read now.
            self.invalidated.clear();
            let (resyncs, overrides) = (self.resyncs, self.shared.on_demand.is_none());
            return Some(async move { Done::Listed(resyncs, fetch::list(storage, overrides).await) }.boxed());
        }
        let most = storage.descriptor().limits().batch_ops.max(1);
        let keys: Vec<Key> = self.invalidated.iter().take(most).cloned().collect();
        for key in &keys {
            self.invalidated.remove(key);
        }
        (!keys.is_empty())
            .then(|| async move { Done::Fetched(keys.clone(), fetch::get(storage, keys).await) }.boxed())
    }

    async fn take_in(&mut self, done: Done) {
        match done {
            Done::Listed(resyncs, Ok(listed)) => {
                self.succeeded();
                self.synced = resyncs == self.resyncs && matches!(self.link, Link::Following | Link::Polling);
                self.take_in_all(listed).await;
                self.poll_later();
            }
            Done::Listed(_, Err(error)) => {
                self.wants_reload = true;
                self.failed(error).await;
            }
            Done::Fetched(_, Ok(found)) => {
                self.succeeded();
                let found: Vec<Found> =
                    found.into_iter().filter(|one| !self.invalidated.contains(&one.key())).collect();
                self.take_in_some(found).await;
            }
            Done::Fetched(keys, Err(error)) => {
                self.invalidated.extend(keys);
                self.failed(error).await;
            }
        }
    }

    async fn take_in_all(&mut self, listed: Listed) {
        if listed.flags == 0 && self.replica.has_flags() && !std::mem::take(&mut self.accepts_empty) {
            if !std::mem::replace(&mut self.store_emptied, true) {
                self.shared.events.tell(&ClientEvent::StoreEmptied);
            }
            return;
        }
        self.store_emptied = false;
        self.read = true;
        let invalidated = self.invalidated.clone();
        let many = listed.records.len() > MANY;
        self.change(many, move |replica, now| {
            let found = replica.differences(listed, &invalidated);
            replica.apply(found, now)
        })
        .await;
        self.started(Ok(()));
    }

    async fn take_in_some(&mut self, found: Vec<Found>) {
        if self.store_emptied {
            // Of a store that lost everything single records say nothing, until there is a flag again.
            let is_flag =
                |one: &Found| matches!(one.key(), Key::Flag(_)) && !matches!(one, Found::Nothing(_));
            self.wants_reload |= found.iter().any(is_flag);
            return;
        }
        let many = found.len() > MANY;
        self.change(many, move |replica, now| replica.apply(found, now)).await;
    }

    /// Changes the replica, and publishes what became of it.
    async fn change(
        &mut self,
        many: bool,
        change: impl FnOnce(&mut Replica, Timestamp) -> Touched + Send + 'static,
    ) {
        let now = self.now();
        let mut replica = std::mem::replace(&mut self.replica, Replica::new(self.settings.semantics));
        let job = move || {
            let touched = change(&mut replica, now);
            (replica, touched)
        };
        let done = if many { spawn_blocking(job).await.ok() } else { Some(job()) };
        let Some((replica, touched)) = done else {
            // The runtime is shutting down, and this task with it. What is published stays.
            self.wants_reload = true;
            return;
        };
        self.replica = replica;
        self.publish(touched);
    }

    fn publish(&mut self, touched: Touched) {
        let before = self.shared.state.load_full();
        let rules_changed = !Arc::ptr_eq(&before.ruleset, self.replica.ruleset());
        if before.loaded && !rules_changed && !touched.unreadable {
            return;
        }
        let ruleset = Arc::clone(self.replica.ruleset());
        let flag_set = before.flag_set + u64::from(touched.new_flags);
        let changed = touched.into_flags(&ruleset);
        let mut counts = before.counts.clone();
        counts.extend(changed.iter());
        let unreadable = self.replica.unreadable().cloned().collect();
        self.shared.publish(State { ruleset, loaded: true, counts, unreadable, flag_set }, changed);
        if self.settings.file.is_some() && self.read && self.save_at.is_none() {
            self.save_at = Some(self.now().saturating_add(self.settings.save_interval));
        }
    }

    fn succeeded(&mut self) {
        self.backoff.reset();
        self.retry_at = None;
        if self.link != Link::Lost {
            self.shared.store_error.store(None);
        }
    }

    async fn failed(&mut self, error: Error) {
        self.closed |= error.kind() == ErrorKind::Closed;
        self.shared.store_error.store(Some(Arc::new(error)));
        self.retry_at = Some(self.now().saturating_add(self.backoff.next()));
        self.serve_saved(self.now()).await;
    }

    /// Where the store fails before anything was loaded, what an earlier run saved is served.
    async fn serve_saved(&mut self, now: Timestamp) {
        let (Some(starting), Some(file)) = (&self.starting, self.settings.file.clone()) else { return };
        let is_over = now >= starting.deadline;
        let read = spawn_blocking(move || file.read()).await;
        match read {
            Ok(Ok(saved)) => {
                self.stale = Some(Staleness { since: saved.at, cause: StaleCause::LastSaved });
                let listed = fetch::saved(saved.records, self.shared.on_demand.is_none());
                self.change(true, move |replica, now| {
                    let found = replica.differences(listed, &HashSet::new());
                    replica.apply(found, now)
                })
                .await;
                self.started(Ok(()));
            }
            // Until the deadline the store may still answer.
            Ok(Err(_)) if !is_over => {}
            Ok(Err(error)) => {
                self.shared.file_error.store(Some(Arc::new(error)));
                self.started(Err(self.nothing_to_serve()));
            }
            // The runtime is shutting down.
            Err(_) => self.started(Err(self.nothing_to_serve())),
        }
    }

    fn nothing_to_serve(&self) -> Error {
        let reason = "the store does not answer, and there is no saved state to serve; see the cause";
        let error = Error::new(ErrorKind::Unavailable, reason).in_operation("start");
        match self.shared.store_error.load_full() {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }

    fn started(&mut self, outcome: Result<()>) {
        if let Some(starting) = self.starting.take() {
            self.tell_freshness();
            // Nobody waits any more: then nobody needs to know.
            let _ = starting.tell.send(outcome);
        }
    }

    /// Where no news comes, everything is read again after a while.
    fn poll_later(&mut self) {
        if self.link != Link::Following {
            let later = self.now().saturating_add(jittered(self.settings.poll_interval, 0.1));
            self.poll_at = Some(later);
        }
    }

    /// When there is something to do next without being told.
    fn wakes_at(&self, working: bool) -> Option<Timestamp> {
        let retry = self.retry_at.filter(|_| !working && !self.closed);
        let poll = self.poll_at.filter(|_| !self.closed);
        let save = self.save_at.filter(|_| self.saving.is_none());
        let start = self.starting.as_ref().map(|starting| starting.deadline);
        [retry, poll, save, start, self.replica.sweeps_at()].into_iter().flatten().min()
    }

    async fn on_time(&mut self) {
        let now = self.now();
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if is_due(self.retry_at) {
            self.retry_at = None;
        }
        if is_due(self.poll_at) {
            self.poll_at = None;
            self.wants_reload = true;
        }
        if is_due(self.starting.as_ref().map(|starting| starting.deadline)) {
            self.serve_saved(now).await;
        }
        if is_due(self.replica.sweeps_at()) {
            self.change(false, |replica, now| replica.apply(Vec::new(), now)).await;
        }
        if is_due(self.save_at) && self.saving.is_none() {
            self.save_at = None;
            self.saving = self.save();
        }
    }

    fn save(&self) -> Option<JoinHandle<Result<()>>> {
        let file = self.settings.file.clone()?;
        let (records, now) = (self.replica.to_vec(), self.now());
        Some(spawn_blocking(move || file.write(records, now)))
    }

    async fn end(mut self, closing: Option<oneshot::Sender<()>>) {
        self.closed = true;
        if self.saving.is_some() {
            let _ = saved(&mut self.saving).await;
            self.saving = None;
        }
        if self.save_at.is_some() {
            self.saving = self.save();
            let _ = saved(&mut self.saving).await;
        }
        self.tell_freshness();
        self.shared.events.end();
        if let Some(closing) = closing {
            let _ = closing.send(());
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn tell_freshness(&mut self) {
        let freshness = self.freshness();
        self.shared.set_freshness(freshness);
    }

    fn freshness(&mut self) -> Freshness {
        let cause = if self.closed {
            Some(StaleCause::Closed)
        } else if self.store_emptied {
            Some(StaleCause::StoreEmptied)
        } else if !matches!(self.link, Link::Following | Link::Polling) || self.backoff.is_failing() {
            Some(StaleCause::Disconnected)
        } else if !self.synced {
            Some(StaleCause::Reloading)
        } else {
            None
        };
        let now = self.now();
        Staleness::update(&mut self.stale, cause, self.read, now);
        match self.stale {
            _ if !self.shared.state.load().loaded => Freshness::NeverLoaded,
            None => Freshness::Fresh,
            Some(Staleness { since, cause }) => Freshness::Stale { since, cause },
        }
    }
}

/// The read under way, or never.
async fn under_way(work: &mut Option<BoxFuture<'static, Done>>) -> Done {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

/// The end of the save under way, or never.
async fn saved(saving: &mut Option<JoinHandle<Result<()>>>) -> Result<()> {
    match saving {
        Some(saving) => saving.await.unwrap_or_else(|e| {
            Err(Error::new(ErrorKind::Unavailable, "saving was cut short").with_source(e))
        }),
        None => std::future::pending().await,
    }
}
