//! Commits: those that wait for each other are judged in turn and written together.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Instant;

use flags_core::storage::{Batch, Effect};
use flags_core::{Error, ErrorKind, Key, Result};

use super::blocking::{NO_ANSWER, within};
use super::shared::{Publishing, Shared};
use super::turns::{Asked, Turns};
use super::view::View;
use crate::contents::{Contents, Encoded};
use crate::disk::{Lock, Replaced, remove_drafts, replace, target};
use crate::fault::{Cause, Fault};

/// How often a group is judged again because somebody edits the file at the same moment.
const ATTEMPTS: usize = 20;

/// Commits that wait for their turn.
#[derive(Default)]
pub(super) struct Queue {
    turns: Turns<Waiting, Result<Vec<Effect>>>,
    /// Whether the drafts of writers that were killed have been removed: looking for them takes
    /// longer the more files there are.
    tidied: AtomicBool,
}

/// A commit that waits for its turn.
struct Waiting {
    batch: Encoded,
    until: Instant,
    phase: Arc<Phase>,
}

/// One that somebody waits for.
type Commit = Asked<Waiting, Result<Vec<Effect>>>;

/// Whether a commit may still be given up with certainty.
#[derive(Default)]
struct Phase(AtomicU8);

impl Phase {
    const WAITING: u8 = 0;
    const BEGUN: u8 = 1;
    const ABANDONED: u8 = 2;

    fn leave_waiting(&self, to: u8) -> bool {
        self.0.compare_exchange(Self::WAITING, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// From here on it may be applied at any moment. False: its caller has left.
    fn begin(&self) -> bool {
        self.leave_waiting(Self::BEGUN) || self.0.load(Ordering::Acquire) == Self::BEGUN
    }

    /// It will certainly not be applied. False: that is too late.
    fn abandon(&self) -> bool {
        self.leave_waiting(Self::ABANDONED)
    }
}

/// Gives up a commit that nobody waits for any more.
struct AbandonOnDrop(Arc<Phase>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

pub(super) async fn commit(shared: &Arc<Shared>, batch: Batch) -> Result<Vec<Effect>> {
    shared.check_open()?;
    // Here and not in its turn: writing records down is most of the work.
    let batch = Encoded::new(batch, shared.descriptor.limits())?;
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let deadline = shared.options.deadline;
    let phase = AbandonOnDrop(Arc::default());
    let waiting = Waiting { batch, until: Instant::now() + deadline, phase: Arc::clone(&phase.0) };
    let writer = Arc::clone(shared);
    let answered = shared.queue.turns.ask(waiting, move |group| write_group(&writer, group))?;
    match within(deadline, answered).await {
        Some(Ok(outcome)) => outcome,
        Some(Err(_)) => Err(unanswered(&phase.0, NO_ANSWER)),
        None => Err(unanswered(&phase.0, "the write did not end in time")),
    }
}

/// The error of a commit that was not answered.
fn unanswered(phase: &Phase, why: &str) -> Error {
    if phase.abandon() {
        Error::new(ErrorKind::Unavailable, format!("{why}, nothing was changed; try again"))
    } else {
        Error::new(ErrorKind::Indeterminate, format!("{why}; look before you repeat it"))
    }
}

/// Judges and writes all commits that wait.
fn write_group(shared: &Shared, group: &mut Vec<Commit>) {
    let Some(until) = group.iter().map(|asked| asked.question.until).max() else { return };
    let outcome = locked(shared, until, |lock, publishing| {
        group.retain(|asked| asked.question.phase.begin());
        write(shared, lock, group, publishing)
    });
    match outcome {
        Ok(judged) => group.drain(..).zip(judged).for_each(|(asked, answer)| asked.answer(answer)),
        // Also for those that were refused: by a state that never came to be.
        Err(fault) => group.drain(..).for_each(|asked| asked.answer(Err(fault.error()))),
    }
}

/// Does it as the only writer of all processes, and again where that turned out not to be so
/// (`None`).
fn locked<T>(
    shared: &Shared,
    until: Instant,
    mut write: impl FnMut(&Lock, &mut Publishing<'_>) -> Result<Option<T>, Fault>,
) -> Result<T, Fault> {
    let path = &shared.options.path;
    if shared.is_closed() {
        return Err(shared.fault(Cause::Closed));
    }
    // A missing directory is better told as such than as a lock that cannot be made.
    shared.sync(&mut shared.publishing())?;
    for _ in 0..ATTEMPTS {
        let file = target(path);
        let lock = Lock::acquire(&file, until)?;
        // A link may lead elsewhere by now.
        if target(path) != file {
            continue;
        }
        if !shared.queue.tidied.swap(true, Ordering::Relaxed) {
            remove_drafts(&file);
        }
        if let Some(done) = write(&lock, &mut shared.publishing())? {
            return Ok(done);
        }
    }
    Err(shared.fault(Cause::Restless))
}

/// Judges the group by the file as it is, and replaces the file if anything changes. `None`: the
/// lock was lost.
fn write(
    shared: &Shared,
    lock: &Lock,
    group: &[Commit],
    publishing: &mut Publishing<'_>,
) -> Result<Option<Vec<Result<Vec<Effect>>>>, Fault> {
    for _ in 0..ATTEMPTS {
        let view = shared.sync(publishing)?;
        if let Some(fault) = &view.fault {
            // Writing would destroy an edit, or bring back what somebody removed.
            return Err(fault.clone());
        }
        let (contents, judged, changed) = judge(shared, &view, group);
        if changed.is_empty() {
            return Ok(Some(judged));
        }
        let text = contents.render();
        match replace(lock, &target(&shared.options.path), text.as_bytes(), view.seen.as_ref()) {
            Ok(Replaced::Done(seen)) => {
                let changed: Vec<Key> = changed.into_iter().collect();
                let contents = contents.written(&text);
                shared.publish(View { contents, seen: Some(seen), fault: None }, &changed, publishing);
                return Ok(Some(judged));
            }
            Ok(Replaced::Overtaken) => {}
            Ok(Replaced::Unlocked) => return Ok(None),
            // The new file is there, whether or not it will be after a loss of power: the next read sees it.
            // Who was refused was refused.
            Err(fault) if fault.is_uncertain() => {
                let judged = judged.into_iter().map(|judged| judged.and_then(|_| Err(fault.error())));
                return Ok(Some(judged.collect()));
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(shared.fault(Cause::Restless))
}

fn judge(
    shared: &Shared,
    view: &View,
    group: &[Commit],
) -> (Contents, Vec<Result<Vec<Effect>>>, HashSet<Key>) {
    let mut contents = view.contents.clone();
    let mut changed = HashSet::new();
    let judged = group.iter().map(|asked| {
        let now = shared.options.clock.now();
        let (next, effects, keys) = contents.apply(&asked.question.batch, now, shared.descriptor.limits())?;
        contents = next;
        changed.extend(keys);
        Ok(effects)
    });
    let judged = judged.collect();
    (contents, judged, changed)
}
