//! What is due of one flag, or of flags that are gone, executed in order.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use flags_core::storage::{Batch, Expect, Revision};
use flags_core::{Error, ErrorKind, Flag, FlagId, FlagKey, Key, Result, Timestamp};

use super::Scheduler;
use super::flags::{Flags, Read};
use super::patience::{Patience, Run};
use super::planned::{Planned, outcome};
use super::report::{Applied, Refused, Report};
use crate::backoff::{Backoff, Pace};

/// Schedulers that met at one flag part again by waiting a random while, at most so long.
const PARTING: Duration = Duration::from_millis(5);
/// How many of those that come next are read again after somebody else was there.
const READ_AGAIN: usize = 64;
/// How often a commit is refused although nothing that it depends on changed, before that is taken for an
/// answer.
const REFUSALS: u32 = 5;
/// Why what belongs to no flag is refused.
const NO_FLAG: &str = "its flag does not exist";

/// Whose changes are executed.
#[derive(Debug)]
pub(super) enum Owner {
    /// Of that flag.
    Flag(FlagId),
    /// Of flags that do not exist.
    Nobody(HashSet<FlagId>),
}

impl Owner {
    fn owns(&self, planned: &Planned) -> bool {
        match self {
            Self::Flag(id) => planned.flag_id() == *id,
            Self::Nobody(ids) => ids.contains(&planned.flag_id()),
        }
    }
}

/// The work on what one flag owns.
pub(super) struct Execution<'a> {
    scheduler: &'a Scheduler,
    run: &'a Run,
    owner: Owner,
    now: Timestamp,
    due: VecDeque<Planned>,
    /// As it was read last, or as this execution left it.
    flag: Option<Read>,
    /// The commit that was refused last, by what it was judged by, and how often so.
    refusal: Option<(Revision, Option<Revision>)>,
    refusals: u32,
    /// Committed and not answered, for the flag of that key.
    unsure: Vec<(Key, Option<FlagKey>)>,
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
    pub(super) fn new(
        scheduler: &'a Scheduler,
        run: &'a Run,
        owner: Owner,
        due: Vec<Planned>,
        now: Timestamp,
    ) -> Self {
        Self {
            scheduler,
            run,
            owner,
            now,
            due: due.into(),
            flag: None,
            refusal: None,
            refusals: 0,
            unsure: Vec::new(),
            report: Report::default(),
        }
    }

    /// The flag as it is known already.
    pub(super) fn of(mut self, flag: Read) -> Self {
        self.flag = Some(flag);
        self
    }

    /// Executes what is due. What the store does not answer is asked again until the deadline; reading it
    /// again tells whether a commit was applied, since a change that was is marked in the same commit.
    pub(super) async fn run(mut self) -> Report {
        if let Err(error) = self.all().await {
            self.report.errors.push(error);
        }
        self.report
    }

    async fn all(&mut self) -> Result<()> {
        let mut patience = Patience::new(self.scheduler, self.run);
        let mut parting = Backoff::new(Pace { first: Duration::from_micros(500), longest: PARTING });
        let mut reads = false;
        while !self.run.is_over() {
            let attempt = if reads { self.read_again().await } else { self.step().await };
            match attempt {
                Ok(Attempt::Finished) => break,
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
        Ok(())
    }

    /// Reads those that come next, and leaves out what is not to be executed any more, or belongs to another
    /// flag by now. What is planned anew is another run's.
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
            for (key, answer) in keys.into_iter().zip(answers) {
                match answer {
                    Ok(Some(stored)) => match outcome(&stored.record) {
                        Some(error) => self.settle(key, error.map(str::to_owned)),
                        None => left.extend(Planned::new(stored)),
                    },
                    Ok(None) => self.unsure.retain(|(unsure, _)| *unsure != key),
                    Err(error) => self.report.errors.push(error),
                }
            }
            left.retain(|planned| self.owner.owns(planned) && planned.scheduled_at() <= self.now);
        }
        self.due.extend(left);
        self.due.make_contiguous().sort_by_key(Planned::order);
        Ok(Attempt::Read)
    }

    /// It is executed. That it was by this execution nobody can say where a commit was not answered.
    fn settle(&mut self, key: Key, error: Option<String>) {
        let Some(place) = self.unsure.iter().position(|(unsure, _)| *unsure == key) else { return };
        let (_, flag) = self.unsure.swap_remove(place);
        match error {
            Some(reason) => self.report.refused.push(Refused { key, flag, reason }),
            None => self.report.settled.push(key),
        }
    }

    /// Executes the next one.
    async fn step(&mut self) -> Result<Attempt> {
        let Some(next) = self.due.front().cloned() else { return Ok(Attempt::Finished) };
        let Owner::Flag(id) = self.owner else { return self.refuse_orphans(&next).await };
        let (flag, revision) = match self.flag.take() {
            Some(read) => read,
            None => {
                let mut flags = Flags::find(&self.scheduler.storage, [id]).await?;
                match (flags.found.remove(&id), flags.unreadable) {
                    (Some(read), _) => read,
                    // It cannot be read, or nobody can tell whether it is the one that cannot be read.
                    (None, Some(error)) => return Err(error),
                    (None, None) => {
                        self.owner = Owner::Nobody(HashSet::from([id]));
                        return self.refuse_orphans(&next).await;
                    }
                }
            }
        };
        match next.applied_to(&flag, self.now) {
            Ok(applied) => self.apply(&next, flag, applied, revision).await,
            Err(reason) => self.refuse(&next, flag, revision, reason).await,
        }
    }

    /// The flag's new state and the mark are one commit, on condition that neither changed since: so each is
    /// applied once, whoever comes first, and in order.
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
                self.finish(1);
                let after = effects.into_iter().next().and_then(|effect| effect.after);
                self.flag = after.map(|revision| (Box::new(applied), revision));
                Ok(Attempt::Done)
            }
            // Not a matter of who was first: the result is past a limit of the store.
            Err(error) if error.kind() == ErrorKind::Invalid => {
                self.refuse(next, before, revision, error.to_string()).await
            }
            Err(error) => self.failed(Some((&before, revision)), 1, error),
        }
    }

    /// Marks one that cannot be applied, with why, or without where that does not fit.
    async fn refuse(
        &mut self,
        next: &Planned,
        flag: Box<Flag>,
        revision: Revision,
        reason: String,
    ) -> Result<Attempt> {
        // By the flag as it was judged: another one might take the change.
        let mark = |why| {
            Batch::new()
                .check(Key::Flag(flag.key.clone()), Expect::Revision(revision.clone()))
                .put(next.executed(self.now, why), Expect::Revision(next.revision.clone()))
        };
        let storage = &self.scheduler.storage;
        let mut outcome = storage.commit(mark(Some(reason.clone()))).await;
        if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid) {
            outcome = storage.commit(mark(None)).await;
        }
        match outcome {
            Ok(_) => {
                let refused = Refused { key: next.key(), flag: Some(flag.key.clone()), reason };
                self.report.refused.push(refused);
                self.finish(1);
                self.flag = Some((flag, revision));
                Ok(Attempt::Done)
            }
            Err(error) if error.kind() == ErrorKind::Invalid => {
                self.flag = Some((flag, revision));
                Ok(self.leave(error))
            }
            Err(error) => self.failed(Some((&flag, revision)), 1, error),
        }
    }

    /// As many as one commit holds.
    async fn refuse_orphans(&mut self, next: &Planned) -> Result<Attempt> {
        let marks = self.due.iter().fold(Batch::new(), |batch, orphan| {
            let mark = orphan.executed(self.now, Some(NO_FLAG.to_owned()));
            batch.put(mark, Expect::Revision(orphan.revision.clone()))
        });
        let storage = &self.scheduler.storage;
        let mut batches = marks.split(storage.descriptor().limits()).into_iter();
        let Some(batch) = batches.next() else { return Ok(Attempt::Finished) };
        let count = batch.len();
        let mut outcome = storage.commit(batch).await;
        if count == 1 && outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid) {
            let mark = next.executed(self.now, None);
            outcome = storage.commit(Batch::new().put(mark, Expect::Revision(next.revision.clone()))).await;
        }
        match outcome {
            Ok(_) => {
                let keys = self.due.iter().take(count).map(Planned::key);
                let refused = keys.map(|key| Refused { key, flag: None, reason: NO_FLAG.to_owned() });
                self.report.refused.extend(refused);
                self.finish(count);
                Ok(Attempt::Done)
            }
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(self.leave(error)),
            Err(error) => self.failed(None, count, error),
        }
    }

    /// The first of those that are due are done with.
    fn finish(&mut self, count: usize) {
        for done in self.due.drain(..count) {
            let key = done.key();
            self.unsure.retain(|(unsure, _)| *unsure != key);
        }
    }

    /// Not even the mark fits: it stays as it is, and the others go on.
    fn leave(&mut self, error: Error) -> Attempt {
        if let Some(next) = self.due.pop_front() {
            self.report.errors.push(error.with_key(next.key()));
        }
        Attempt::Done
    }

    /// The commit of the first of those that are due has failed. `judged` is the flag that it was judged by.
    fn failed(&mut self, judged: Option<(&Flag, Revision)>, count: usize, error: Error) -> Result<Attempt> {
        let Some(next) = self.due.front() else { return Err(error) };
        let (flag, revision) = judged.unzip();
        match error.kind() {
            ErrorKind::Conflict | ErrorKind::NotFound => {
                let refusal = Some((next.revision.clone(), revision));
                self.refusals = if self.refusal == refusal { self.refusals + 1 } else { 1 };
                self.refusal = refusal;
                // Nobody was first: the store itself will not have it, and asking for ever is of no use.
                if self.refusals > REFUSALS {
                    return Err(error.with_key(next.key()));
                }
                Ok(Attempt::Overtaken)
            }
            ErrorKind::Indeterminate => {
                for key in self.due.iter().take(count).map(Planned::key) {
                    if self.unsure.iter().all(|(unsure, _)| *unsure != key) {
                        self.unsure.push((key, flag.map(|flag| flag.key.clone())));
                    }
                }
                Err(error)
            }
            _ => Err(error),
        }
    }
}
