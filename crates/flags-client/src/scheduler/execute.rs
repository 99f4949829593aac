//! What is due of one flag, executed in order.

use std::collections::VecDeque;
use std::time::Duration;

use flags_core::storage::{Batch, Expect, Revision};
use flags_core::{Error, ErrorKind, Flag, FlagId, Key, Result, Timestamp};

use super::Scheduler;
use super::patience::Patience;
use super::plan::{Lookup, look_up};
use super::planned::Planned;
use super::report::{Applied, Refused, Report};
use crate::backoff::{Backoff, Pace};

/// Schedulers that met at one flag part again by waiting a random while, at most so long.
const PARTING: Duration = Duration::from_millis(5);

/// How many of those that come next are read again after somebody else was there.
const READ_AGAIN: usize = 64;
/// Why what belongs to no flag is refused.
const NO_FLAG: &str = "its flag does not exist";
/// How often a commit is refused although nothing that it depends on changed, before that is taken for an answer.
const REFUSALS: u32 = 5;

/// The work on one flag.
pub(super) struct Execution<'a> {
    scheduler: &'a Scheduler,
    id: FlagId,
    now: Timestamp,
    due: VecDeque<Planned>,
    /// As it was read last, or as this execution left it.
    flag: Option<(Box<Flag>, Revision)>,
    /// The commit that was refused last, by what it was judged by, and how often so.
    refusal: Option<(Revision, Option<Revision>)>,
    refusals: u32,
    /// Committed, and not answered.
    unsure: Option<Key>,
    report: Report,
}

/// What became of an attempt.
enum Attempt {
    /// One is executed: on to the next.
    Done,
    /// There is none left.
    Finished,
    /// Somebody else was there: read everything again.
    Overtaken,
    /// Everything was read again.
    Read,
}

impl<'a> Execution<'a> {
    pub(super) fn new(scheduler: &'a Scheduler, id: FlagId, due: Vec<Planned>, now: Timestamp) -> Self {
        let report = Report::default();
        Self {
            scheduler,
            id,
            now,
            due: due.into(),
            flag: None,
            refusal: None,
            refusals: 0,
            unsure: None,
            report,
        }
    }

    /// Executes what is due. What the store does not answer is asked again until the deadline; reading it again tells
    /// whether a commit was applied, since a change that was is marked in the same commit.
    pub(super) async fn run(mut self) -> Report {
        if let Err(error) = self.all().await {
            self.report.errors.push(error);
        }
        self.report
    }

    async fn all(&mut self) -> Result<()> {
        let mut patience = Patience::new(self.scheduler);
        let mut parting = Backoff::new(Pace { first: Duration::from_micros(500), longest: PARTING });
        let mut reads = false;
        loop {
            let attempt = if reads { self.read_again().await } else { self.step().await };
            match attempt {
                Ok(Attempt::Finished) => return Ok(()),
                Ok(Attempt::Done) => {
                    patience.succeeded();
                    parting.reset();
                    reads = false;
                }
                Ok(Attempt::Read) => reads = false,
                Ok(Attempt::Overtaken) => {
                    self.scheduler.clock.sleep(parting.next()).await;
                    reads = true;
                }
                Err(error) => {
                    patience.wait(error).await?;
                    reads = true;
                }
            }
        }
    }

    /// Reads those that come next, and leaves out what is not to be executed any more. What is planned anew is another run's.
    async fn read_again(&mut self) -> Result<Attempt> {
        self.flag = None;
        let storage = &self.scheduler.storage;
        let some = storage.descriptor().limits().batch_ops.clamp(1, READ_AGAIN);
        let mut left = Vec::new();
        // Whoever was there may have gone a long way.
        while left.is_empty() && !self.due.is_empty() {
            let keys: Vec<Key> = self.due.iter().take(some).map(Planned::key).collect();
            let answers = storage.get(&keys).await?;
            self.due.drain(..keys.len());
            for answer in answers {
                match answer {
                    Ok(stored) => left.extend(stored.and_then(Planned::new)),
                    Err(error) => self.report.errors.push(error),
                }
            }
            left.retain(|planned| planned.scheduled_at() <= self.now);
        }
        self.due.extend(left);
        self.due.make_contiguous().sort_by_key(Planned::order);
        if let Some(key) = self.unsure.take()
            && self.due.iter().all(|planned| planned.key() != key)
        {
            self.report.settled.push(key);
        }
        Ok(Attempt::Read)
    }

    /// Executes the next one.
    async fn step(&mut self) -> Result<Attempt> {
        let Some(next) = self.due.front().cloned() else { return Ok(Attempt::Finished) };
        let (flag, revision) = match self.flag.take() {
            Some(known) => known,
            None => match look_up(&self.scheduler.storage, self.id).await? {
                Lookup::Found(flag, revision) => (flag, revision),
                Lookup::Gone => return self.refuse_orphans().await,
                Lookup::Unknown(error) => return Err(error),
            },
        };
        match next.applied_to(&flag, self.now) {
            Ok(applied) => self.apply(&next, flag, applied, revision).await,
            Err(reason) => self.refuse(&next, flag, revision, reason).await,
        }
    }

    /// The flag's new state and the mark are one commit, on condition that neither changed since: so each is applied once,
    /// whoever comes first, and in order.
    async fn apply(
        &mut self,
        next: &Planned,
        before: Box<Flag>,
        applied: Flag,
        revision: Revision,
    ) -> Result<Attempt> {
        let batch = Batch::new()
            .put(applied.clone(), Expect::Revision(revision.clone()))
            .put(next.executed(self.now, None), Expect::Revision(next.revision.clone()));
        match self.scheduler.storage.commit(batch).await {
            Ok(effects) => {
                self.report.applied.push(Applied { key: next.key(), flag: applied.key.clone() });
                self.due.pop_front();
                let after = effects.into_iter().next().and_then(|effect| effect.after);
                self.flag = after.map(|revision| (Box::new(applied), revision));
                Ok(Attempt::Done)
            }
            // Not a matter of who was first: the result is past a limit of the store.
            Err(error) if error.kind() == ErrorKind::Invalid => {
                self.refuse(next, before, revision, error.to_string()).await
            }
            Err(error) => self.failed(next, Some(revision), error),
        }
    }

    async fn refuse(
        &mut self,
        next: &Planned,
        flag: Box<Flag>,
        revision: Revision,
        reason: String,
    ) -> Result<Attempt> {
        // By the flag as it was judged: another one might take the change.
        let batch = Batch::new()
            .check(Key::Flag(flag.key.clone()), Expect::Revision(revision.clone()))
            .put(next.executed(self.now, Some(reason.clone())), Expect::Revision(next.revision.clone()));
        match self.scheduler.storage.commit(batch).await {
            Ok(_) => {
                self.report.refused.push(Refused { key: next.key(), flag: Some(flag.key.clone()), reason });
                self.due.pop_front();
                self.flag = Some((flag, revision));
                Ok(Attempt::Done)
            }
            // Not even the mark fits.
            Err(error) if error.kind() == ErrorKind::Invalid => {
                self.flag = Some((flag, revision));
                Ok(self.leave(next, error))
            }
            Err(error) => self.failed(next, Some(revision), error),
        }
    }

    /// As many as one commit holds: that the flag is nowhere takes a look at every flag.
    async fn refuse_orphans(&mut self) -> Result<Attempt> {
        let Some(next) = self.due.front().cloned() else { return Ok(Attempt::Finished) };
        let marks = self.due.iter().fold(Batch::new(), |batch, orphan| {
            let mark = orphan.executed(self.now, Some(NO_FLAG.to_owned()));
            batch.put(mark, Expect::Revision(orphan.revision.clone()))
        });
        let storage = &self.scheduler.storage;
        let Some(batch) = marks.split(storage.descriptor().limits()).into_iter().next() else {
            return Ok(Attempt::Finished);
        };
        let count = batch.len();
        match storage.commit(batch).await {
            Ok(_) => {
                let refused =
                    |orphan: Planned| Refused { key: orphan.key(), flag: None, reason: NO_FLAG.to_owned() };
                self.report.refused.extend(self.due.drain(..count).map(refused));
                Ok(Attempt::Done)
            }
            // Not even the mark fits.
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(self.leave(&next, error)),
            Err(error) => self.failed(&next, None, error),
        }
    }

    /// It stays as it is, and the others go on.
    fn leave(&mut self, next: &Planned, error: Error) -> Attempt {
        self.report.errors.push(error.with_key(next.key()));
        self.due.pop_front();
        Attempt::Done
    }

    /// `flag` is the revision that it was judged by.
    fn failed(&mut self, next: &Planned, flag: Option<Revision>, error: Error) -> Result<Attempt> {
        match error.kind() {
            ErrorKind::Conflict | ErrorKind::NotFound => {
                let refusal = Some((next.revision.clone(), flag));
                self.refusals = if self.refusal == refusal { self.refusals + 1 } else { 1 };
                self.refusal = refusal;
                // Nobody was first: the store itself will not have it, and asking for ever is of no use.
                if self.refusals > REFUSALS {
                    return Err(error.with_key(next.key()));
                }
                Ok(Attempt::Overtaken)
            }
            ErrorKind::Indeterminate => {
                self.unsure = Some(next.key());
                Err(error)
            }
            _ => Err(error),
        }
    }
}
