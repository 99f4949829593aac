//! [`Live`]: a connection in use.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::address::Address;
use crate::driver::Link;
use crate::error::Cause;
use crate::reply::{Command, Reply};

/// So many callers in a row went without an answer, and the connection may be given up: it may be dead where
/// a new one would work.
const PATIENCE: u32 = 2;

/// A connection, where it leads, and how long it has been silent. Each counts for itself, so a late timeout
/// of a former one never ends the present one.
#[derive(Debug)]
pub(super) struct Live {
    link: Box<dyn Link>,
    at: Address,
    number: u64,
    silence: Mutex<Silence>,
}

/// What callers waited for in vain since the last answer.
#[derive(Debug, Default)]
struct Silence {
    callers: u32,
    /// How long any of them waited, the time of several at once taken once.
    waited: Duration,
    until: Option<Instant>,
}

impl Silence {
    fn add(&mut self, from: Instant) {
        let now = Instant::now();
        let from = self.until.map_or(from, |until| until.max(from));
        self.callers = self.callers.saturating_add(1);
        self.waited = self.waited.saturating_add(now.saturating_duration_since(from));
        self.until = Some(now);
    }
}

impl Live {
    pub(super) fn new(link: Box<dyn Link>, at: Address, number: u64) -> Self {
        Self { link, at, number, silence: Mutex::default() }
    }

    pub(super) fn at(&self) -> &Address {
        &self.at
    }

    /// No other connection of the same store has it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_alive(&self) -> bool {
        self.link.is_alive()
    }

    pub(super) fn kill(&self) {
        self.link.kill();
    }

    pub(super) async fn send(&self, commands: &[Command], limit: Duration) -> Result<Vec<Reply>, Cause> {
        let mut waiting = Waiting { live: self, from: Instant::now(), limit, over: false };
        let Ok(outcome) = tokio::time::timeout(limit, self.link.send(commands)).await else {
            return Err(Cause::Timeout(limit));
        };
        waiting.over = true;
        let outcome = outcome.and_then(|replies| in_step(commands, replies));
        match &outcome {
            Ok(_) => *self.silence() = Silence::default(),
            Err(_) => self.link.kill(),
        }
        outcome
    }

    fn silence(&self) -> MutexGuard<'_, Silence> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What cannot be the answer to a command belongs to another one. Then so may what only looks right, and what
/// comes after it.
fn in_step(commands: &[Command], replies: Vec<Reply>) -> Result<Vec<Reply>, Cause> {
    let misfit = commands.iter().zip(&replies).find(|(command, reply)| !command.may_be_answered(reply));
    match misfit {
        Some((command, _)) => Err(Cause::OutOfStep(command.name())),
        None if replies.len() != commands.len() => Err(Cause::OutOfStep("a pipeline".to_owned())),
        None => Ok(replies),
    }
}

/// A caller that waits for an answer. One who gives up before the limit, at a deadline of its own, counts as
/// well: where all do, nobody else would notice that the connection is dead.
struct Waiting<'a> {
    live: &'a Live,
    from: Instant,
    limit: Duration,
    over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut silence = self.live.silence();
        silence.add(self.from);
        if silence.callers >= PATIENCE && silence.waited >= self.limit {
            self.live.link.kill();
        }
    }
}
