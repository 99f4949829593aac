//! Going where a server says that the keys are.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::{Access, Answer, Connection, Live};
use crate::address::Address;
use crate::deadline;
use crate::error::Failure;
use crate::reply::{Command, Reply, ServerError};
use crate::topology::Verdict;

/// What became of commands that were answered.
#[derive(Debug)]
pub(super) enum Settled {
    /// They ran, or failed for a reason of their own.
    Answered(Answer),
    /// Another server has the keys; the next connection leads there. None of a write ran.
    Moved(ServerError),
    /// Nobody can do it at the moment. None of a write ran.
    Later(ServerError),
}

impl Connection {
    /// Looks for errors that say where to go, and goes there.
    pub(super) async fn settle(
        &self,
        live: &Arc<Live>,
        commands: &[Command],
        replies: Vec<Reply>,
        access: Access<'_>,
    ) -> Result<Settled, Failure> {
        let mut asks = Vec::new();
        for (place, reply) in replies.iter().enumerate() {
            let Reply::Error(error) = reply else { continue };
            match self.topology.verdict(error, live.at()) {
                None if self.topology.may_lead_elsewhere(error) => self.retire(live.number()),
                None => {}
                Some(Verdict::Moved(to)) => {
                    self.topology.prefer(to);
                    self.retire(live.number());
                    // The move is over.
                    self.importing.lock().unwrap_or_else(PoisonError::into_inner).take();
                    return Ok(Settled::Moved(error.clone()));
                }
                Some(Verdict::Elsewhere) => {
                    self.retire(live.number());
                    return Ok(Settled::Later(error.clone()));
                }
                // Half of the keys are elsewhere: no cursor sees all.
                Some(Verdict::Ask(_)) if matches!(access, Access::Cursor(_)) => {
                    return Ok(Settled::Later(error.clone()));
                }
                Some(Verdict::Later) => return Ok(Settled::Later(error.clone())),
                Some(Verdict::Ask(to)) => asks.push((place, to, error.clone())),
            }
        }
        let Some((_, to, error)) = asks.first().cloned() else {
            return Ok(Settled::Answered(Answer { replies, link: live.number() }));
        };
        let places: Vec<usize> = asks.into_iter().map(|(place, ..)| place).collect();
        self.ask(&to, error, commands, replies, &places, access).await
    }

    /// Asks the server that is getting the keys for those that it has already.
    async fn ask(
        &self,
        to: &Address,
        error: ServerError,
        commands: &[Command],
        mut replies: Vec<Reply>,
        places: &[usize],
        access: Access<'_>,
    ) -> Result<Settled, Failure> {
        let Some(live) = self.importing(to).await else { return Ok(Settled::Later(error)) };
        let asked = places.iter().filter_map(|place| commands.get(*place));
        let asked: Vec<Command> =
            asked.flat_map(|command| [Command::new("ASKING"), command.clone()]).collect();
        let answers = match self.exchange(&live, &asked, access).await {
            Ok(answers) => answers,
            Err(cause) if matches!(access, Access::Write(_)) => return Err(Failure::Unanswered(cause)),
            Err(_) => return Ok(Settled::Later(error)),
        };
        for (place, answer) in places.iter().zip(answers.into_iter().skip(1).step_by(2)) {
            if let Reply::Error(error) = &answer
                && self.topology.verdict(error, live.at()).is_some()
            {
                return Ok(Settled::Later(error.clone()));
            }
            if let Some(reply) = replies.get_mut(*place) {
                *reply = answer;
            }
        }
        Ok(Settled::Answered(Answer { replies, link: live.number() }))
    }

    /// A connection to a server that is getting keys; kept, since there will be more. Whoever waited while
    /// another caller failed to make it has none.
    async fn importing(&self, to: &Address) -> Option<Arc<Live>> {
        let kept = || {
            let kept = self.importing.lock().unwrap_or_else(PoisonError::into_inner).clone();
            kept.filter(|live| live.at() == to && live.is_alive())
        };
        if let Some(live) = kept() {
            return Some(live);
        }
        let (_turn, waited) = match self.reaching.try_lock() {
            Ok(turn) => (turn, false),
            Err(_) => (self.reaching.lock().await, true),
        };
        if let Some(live) = kept() {
            return Some(live);
        }
        if waited {
            return None;
        }
        let link = self.dialing().dial(&self.topology.target(to.clone())).await.ok()?;
        let live = Arc::new(Live::new(link, to.clone(), self.number()));
        let mut importing = self.importing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        *importing = Some(Arc::clone(&live));
        Some(live)
    }

    /// Takes that connection for nothing new; whoever waits for an answer on it gets it.
    pub(super) fn retire(&self, number: u64) {
        self.current().take_if(|live| live.number() == number);
    }

    /// Whether what the server answered to a script, in place of its first write, is mended by trying again:
    /// it is no master, and there is time left to find the one that is. The next connection leads there.
    pub(crate) async fn gives_way(&self, link: u64, error: &ServerError) -> bool {
        let elsewhere = self.topology.may_serve_elsewhere(error);
        if elsewhere || self.topology.may_lead_elsewhere(error) {
            self.retire(link);
        }
        elsewhere && deadline::pause().await
    }
}
