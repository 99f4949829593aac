//! [`Scheduler`]: what is planned happens when it is due, once.

mod builder;
mod execute;
mod flags;
mod patience;
mod plan;
mod planned;
mod report;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use flags_core::{Clock, ErrorKind, Key, Result, StorageHandle, Timestamp};
use futures_util::{FutureExt, StreamExt, stream};

pub use builder::SchedulerBuilder;
pub use report::{Applied, Refused, Report};

use self::execute::{Execution, Owner};
use self::flags::Flags;
use self::patience::{Patience, Run, may_pass};
use self::plan::Plan;
use self::planned::Planned;
use crate::backoff::{Backoff, Pace};
use crate::link::{self, News};
use crate::timer::Timer;

/// Even where the store tells of every change, it is looked through this often: clocks are set.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);

/// Executes scheduled changes and rollout phases when they are due.
///
/// A change to a flag and the mark that it was executed are one commit, on condition that neither the flag
/// nor the change is another one since they were read. So each is applied exactly once and in order of time
/// for each flag, whichever of any number of schedulers gets there first, also when one dies at any point;
/// there is no lock and no leader. Of one instant, changes come before phases, phases in the order of their
/// numbers, then by id. What was missed while no scheduler ran is executed in order by the next one. What is
/// planned for the past while a scheduler is at work may come after what it has begun with.
///
/// | record | what it does |
/// |---|---|
/// | `enable` | status active, default on |
/// | `disable` | status inactive, default off |
/// | `update_value` | the default value becomes the new one |
/// | `update_rollout` | the percentage of every rule becomes the new one |
/// | rollout phase | the percentage of every rule becomes the phase's |
///
/// What cannot be applied (no new value, one that does not fit the flag, or no flag any more) is marked as
/// executed, with why in its member `error` (without, where the store's limits leave no room). It blocks
/// nothing that comes after it. A flag that no listing shows, as a writer of another library can leave one,
/// does not exist for a scheduler: an inspection of the store mends that.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use flags_client::Scheduler;
/// use flags_core::{ChangeType, Flag, FlagKey, FlagStore, ScheduledChange, StorageHandle, Timestamp};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let storage: StorageHandle = Arc::new(flags_memory::MemoryStorage::new());
/// let store = FlagStore::new(storage.clone());
/// let flag = store.create_flag(Flag::new(FlagKey::new("new-checkout")?)).await?;
/// let launch = ScheduledChange::new(flag.id, ChangeType::Enable, "2026-03-01T09:00:00Z".parse().unwrap());
/// store.create_scheduled_change(launch).await?;
///
/// let scheduler = Scheduler::builder(storage).build();
/// let report = scheduler.run_due("2026-03-01T09:00:00Z".parse().unwrap()).await?;
/// assert_eq!(report.applied.len(), 1);
/// assert!(store.get_flag(&flag.key).await?.unwrap().default_enabled);
/// # Ok::<(), flags_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Scheduler {
    storage: StorageHandle,
    clock: Arc<dyn Clock>,
    poll_interval: Duration,
    concurrency: NonZeroUsize,
    retry: Pace,
    retry_deadline: Duration,
}

impl Scheduler {
    /// A scheduler over that store, to be configured.
    pub fn builder(storage: StorageHandle) -> SchedulerBuilder {
        SchedulerBuilder::new(storage)
    }

    /// Executes once what is due at `now`, which is also the instant that is noted as that of the execution.
    ///
    /// # Errors
    ///
    /// When what is planned cannot be listed, past the retry deadline. What goes wrong with single flags is
    /// in the report, and the others are executed.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time: what was executed until then stays executed, the rest stays pending.
    pub async fn run_due(&self, now: Timestamp) -> Result<Report> {
        let run = Run::default();
        let (plan, flags) = self.plan(now, &run).await.map_err(|e| e.in_operation("run_due"))?;
        let mut report = Report { errors: plan.unreadable, next_due: plan.next_due, ..Report::default() };
        let mut due: Vec<_> = plan.due.into_iter().collect();
        // Several schedulers wake at once: let each begin with another flag.
        fastrand::shuffle(&mut due);
        let Flags { mut found, unreadable } = flags;
        let (mut gone, mut orphans) = (HashSet::new(), Vec::new());
        let mut work = Vec::new();
        for (id, due) in due {
            match found.remove(&id) {
                Some(flag) => work.push(Execution::new(self, &run, Owner::Flag(id), due, now).of(flag).run()),
                None => {
                    gone.insert(id);
                    orphans.extend(due);
                }
            }
        }
        match unreadable {
            // It may be the owner of any of them.
            Some(error) => report.errors.push(error),
            None => work.push(Execution::new(self, &run, Owner::Nobody(gone), orphans, now).run()),
        }
        let mut done = stream::iter(work).buffer_unordered(self.concurrency.get());
        while let Some(part) = done.next().await {
            report.add(part);
        }
        Ok(report)
    }

    async fn plan(&self, now: Timestamp, run: &Run) -> Result<(Plan, Flags)> {
        let mut patience = Patience::new(self, run);
        loop {
            let read = async {
                let plan = Plan::read(&self.storage, now).await?;
                let flags = Flags::find(&self.storage, plan.due.keys().copied()).await?;
                Ok((plan, flags))
            };
            match read.await {
                Ok(read) => return Ok(read),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// Executes what is due, whenever it is, until `shutdown` ends.
    ///
    /// Sleeps until the next instant at which something is due, and is woken by changes of what is planned;
    /// where the store tells of none it looks every [poll interval](SchedulerBuilder::poll_interval). A store
    /// that does not answer is asked again, ever more rarely.
    ///
    /// # Errors
    ///
    /// `Closed`: the store was closed before `shutdown`.
    ///
    /// # Cancellation
    ///
    /// As [`run_due`](Self::run_due); `shutdown` ends it in the same way.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Result<()> {
        self.run_observed(shutdown, |_| {}).await
    }

    /// Like [`run`](Self::run), and tells of every run, also of those that did nothing: to be logged, say.
    ///
    /// # Errors
    ///
    /// `Closed`: the store was closed before `shutdown`.
    ///
    /// # Cancellation
    ///
    /// As [`run_due`](Self::run_due); `shutdown` ends it in the same way. `observe` is not told of a run that
    /// is cut short.
    pub async fn run_observed(
        &self,
        shutdown: impl Future<Output = ()>,
        mut observe: impl FnMut(&Result<Report>),
    ) -> Result<()> {
        let mut shutdown = pin!(shutdown);
        let (storage, clock) = (Arc::clone(&self.storage), Arc::clone(&self.clock));
        let mut news = link::follow(storage, clock, self.retry).fuse();
        let mut timer = Timer::default();
        let mut backoff = Backoff::new(self.retry);
        let mut follows = false;
        loop {
            // What is heard from here on may be too late for this run, and makes another.
            let outcome = tokio::select! {
                () = &mut shutdown => return Ok(()),
                outcome = self.run_due(self.clock.now()) => outcome,
            };
            observe(&outcome);
            let rest = match outcome {
                Ok(report) => {
                    // Of what is wrong nobody tells when it is mended.
                    let told = follows && report.errors.is_empty();
                    let longest = if told { LONGEST_SLEEP } else { self.poll_interval };
                    let now = self.clock.now();
                    let until_next = report.next_due.map(|at| at.saturating_since(now));
                    let longest = if report.errors.iter().any(may_pass) {
                        backoff.next().min(longest)
                    } else {
                        backoff.reset();
                        longest
                    };
                    // Also where one flag fails: the others are on time.
                    until_next.map_or(longest, |next| next.min(longest))
                }
                Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
                Err(_) => backoff.next(),
            };
            let mut wakes_at = self.clock.now().saturating_add(rest);
            loop {
                timer.set(&self.clock, Some(wakes_at));
                tokio::select! {
                    () = &mut shutdown => return Ok(()),
                    () = timer.went_off() => break,
                    Some(one) = news.next() => {
                        let mut changed = Vec::new();
                        let mut wakes = concerns_plans(one, &mut follows, &mut changed);
                        while let Some(Some(more)) = news.next().now_or_never() {
                            wakes |= concerns_plans(more, &mut follows, &mut changed);
                        }
                        if wakes {
                            break;
                        }
                        // Most plans were executed long ago: what did not change is not listed again for what
                        // did.
                        let next = tokio::select! {
                            () = &mut shutdown => return Ok(()),
                            next = next_of(&self.storage, &changed) => next,
                        };
                        match next {
                            Ok(next) => wakes_at = next.map_or(wakes_at, |next| next.min(wakes_at)),
                            Err(_) => break,
                        }
                    }
                }
            }
        }
    }
}

/// Whether anything may be planned otherwise than before; of single plans, `changed` is told. Keeps track of
/// whether changes are followed.
fn concerns_plans(news: News, follows: &mut bool, changed: &mut Vec<Key>) -> bool {
    match news {
        News::Changed(key) => {
            if matches!(key, Key::ScheduledChange(_) | Key::RolloutPhase(_)) {
                changed.push(key);
            }
            false
        }
        News::Resync => {
            *follows = true;
            true
        }
        // The sleep was chosen for a store that tells of its changes.
        News::Lost(_) | News::Unwatched(_) => std::mem::take(follows),
    }
}

/// When the first of these is to be executed, of those that still are.
async fn next_of(storage: &StorageHandle, keys: &[Key]) -> Result<Option<Timestamp>> {
    let mut next: Option<Timestamp> = None;
    for some in keys.chunks(storage.descriptor().limits().batch_ops.max(1)) {
        for answer in storage.get(some).await? {
            // One that cannot be read is told of by the next look.
            let planned = answer.ok().flatten().and_then(Planned::new);
            let at = planned.map(|planned| planned.scheduled_at());
            next = next.into_iter().chain(at).min();
        }
    }
    Ok(next)
}
