//! [`Follower`]: the task that follows the store while anybody watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flags_core::{Key, Result};
use futures_util::FutureExt as _;

use super::moving::{Found, Moving};
use super::pace::Pace;
use super::{Shared, State, lock};
use crate::connection::{Access, Connection, Followed};
use crate::deadline::within;
use crate::driver::{Link, Push};
use crate::error::{Cause, Failure};
use crate::keyspace::{Keyspace, Place};
use crate::reply::{Command, Reply};

/// How often the connection is tried while nothing is told: a dead one says nothing either.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// At every so many heartbeats it is asked whether another server has taken this one's place. That takes
/// connections of its own.
const LOOKS_AROUND: u32 = 3;

pub(super) struct Follower {
    pub(super) connection: Arc<Connection>,
    pub(super) keyspace: Keyspace,
    /// For connecting, and for each question of a heartbeat.
    pub(super) deadline: Duration,
    pub(super) shared: Arc<Shared>,
    /// Another one may have taken over by now.
    pub(super) retired: AtomicBool,
}

/// What a heartbeat has found.
struct Beat {
    /// The id of the store, if anybody could say.
    marker: Option<Option<Vec<u8>>>,
    moving: Found,
}

/// Why the store is not followed any more.
enum End {
    /// The connection, or the server, is another one by now.
    Lost,
    /// Nobody watches.
    Unwatched,
}

impl Drop for Follower {
    /// Also with the runtime that it lives in: a watch that nobody feeds ends.
    fn drop(&mut self) {
        if *self.retired.get_mut() {
            return;
        }
        self.shared.state.send_replace(State::Ended);
        drop(self.shared.hub.close());
    }
}

impl Follower {
    pub(super) async fn run(self) {
        let mut pace = Pace::default();
        loop {
            let attempt = self.shared.attempts.fetch_add(1, Ordering::AcqRel) + 1;
            match self.begin().await {
                Ok((followed, marker)) => {
                    // Whatever happens from here on is told, and what happened before is read again.
                    drop(self.shared.hub.resync());
                    self.shared.state.send_replace(State::Following);
                    // Whoever wanted that has it.
                    let _ = self.shared.wanted.notified().now_or_never();
                    let begun = Instant::now();
                    if let End::Unwatched = self.listen(followed, marker).await {
                        return;
                    }
                    self.shared.state.send_replace(State::Connecting);
                    drop(self.shared.hub.lost());
                    pace.held(begun.elapsed());
                }
                Err(Failure::Closed) => return,
                Err(failure) => drop(self.shared.state.send_replace(State::Failed(attempt, failure))),
            }
            if self.is_unwatched() {
                return;
            }
            // Jitter keeps many clients from knocking at a restarted server together. Who wants to watch now
            // waits for no such thing.
            let pause = tokio::time::sleep(pace.next().mul_f64(0.5 + fastrand::f64() / 2.0));
            tokio::select! {
                () = pause => {}
                () = self.shared.wanted.notified() => {}
            }
        }
    }

    async fn begin(&self) -> Result<(Followed, Option<Vec<u8>>), Failure> {
        // Asked first, so that a connection that leads nowhere is noticed and made anew.
        let (marker, _) = self.marker().await?;
        let prefixes = self.keyspace.record_prefixes();
        self.timed(self.connection.follow(prefixes)).await.map(|followed| (followed, marker))
    }

    async fn listen(&self, followed: Followed, mut marker: Option<Vec<u8>>) -> End {
        let Followed { link, beside, mut pushes } = followed;
        let (mut moving, mut beats) = (Moving::No, 0);
        loop {
            beats = (beats + 1) % LOOKS_AROUND;
            let beat = self.beat(&*link, beside, moving.beside(), beats == 0);
            tokio::pin!(beat);
            // What is told is passed on also while a heartbeat waits for its answer.
            let found = loop {
                tokio::select! {
                    push = pushes.recv() => match push {
                        Some(Push::Invalidate(keys)) => self.pass_on(keys),
                        Some(Push::Lost) | None => return End::Lost,
                    },
                    push = moving.told() => match push {
                        Push::Invalidate(keys) => self.pass_on(keys),
                        // What is missed from here on is told by the heartbeat.
                        Push::Lost => moving = Moving::Blind,
                    },
                    found = &mut beat => break found,
                }
            };
            let Some(Beat { marker: told, moving: found }) = found else { return End::Lost };
            let moved = moving.take(found);
            // Emptied, and perhaps begun anew, by somebody of whom nothing was told.
            let emptied = told.is_some_and(|told| std::mem::replace(&mut marker, told.clone()) != told);
            if moved || emptied {
                self.miss();
            }
            if self.is_unwatched() {
                return End::Unwatched;
            }
        }
    }

    /// After a while: what is found, or nothing if it no longer follows the right server. `importing` says by
    /// which number it follows where the keys are going, `around` asks as well who the right server is.
    async fn beat(&self, link: &dyn Link, beside: u64, importing: Option<u64>, around: bool) -> Option<Beat> {
        tokio::time::sleep(HEARTBEAT).await;
        let ping = [Command::new("PING")];
        // However short calls are to be: a connection that is given up makes everybody read everything again.
        let answered = tokio::time::timeout(self.deadline.max(HEARTBEAT), link.send(&ping)).await;
        if !matches!(answered, Ok(Ok(_))) {
            return None;
        }
        // By the other connection, which learns where the server is. What it cannot say now it may say later.
        let (asked, ()) = tokio::join!(self.marker(), async {
            if around {
                self.connection.look_around().await;
            }
        });
        if self.connection.current_number() != Some(beside) {
            return None;
        }
        Some(match asked {
            Ok((marker, by)) => {
                Beat { marker: Some(marker), moving: self.moving(beside, by, importing).await }
            }
            Err(Failure::Unsettled(_)) => Beat { marker: None, moving: Found::Away },
            Err(_) => Beat { marker: None, moving: Found::Unknown },
        })
    }

    /// Where the keys are going, by the number of the connection that has answered.
    async fn moving(&self, beside: u64, by: u64, importing: Option<u64>) -> Found {
        if by == beside {
            // A move that was called off tells nobody else.
            self.connection.leave_importing();
            return Found::Settled;
        }
        if importing == Some(by) {
            return Found::Going(by, None);
        }
        let prefixes = self.keyspace.record_prefixes();
        Found::Going(by, self.connection.follow_importing(by, prefixes).await.ok())
    }

    /// The id of the store, of which an emptied one has another, and the number of the connection that has
    /// answered. While the keys move, that is the one that leads to where they are going.
    async fn marker(&self) -> Result<(Option<Vec<u8>>, u64), Failure> {
        let mut ask = vec![Command::new("HGET").arg(self.keyspace.marker()).arg("id")];
        if self.connection.is_cluster() {
            // The marker may not have moved yet. A key that does not exist may always be there already.
            ask.push(Command::new("GET").arg(self.keyspace.scratch("moving")));
        }
        let answer = self.timed(self.connection.send(&ask, Access::Read)).await?;
        match answer.replies.into_iter().next() {
            Some(Reply::Bytes(id)) => Ok((Some(id), answer.link)),
            Some(Reply::Error(error)) => Err(Failure::Refused(error)),
            _ => Ok((None, answer.link)),
        }
    }

    async fn timed<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let unhanded = AtomicBool::new(false);
        let call = within(self.deadline, &unhanded, async { Ok(call.await) });
        call.await.unwrap_or_else(|_| Err(Failure::NotSent(Cause::Timeout(self.deadline))))
    }

    /// All that is known where no keys are named is that the database was emptied.
    fn pass_on(&self, redis_keys: Option<Vec<Vec<u8>>>) {
        let Some(redis_keys) = redis_keys else { return self.miss() };
        let keys: Vec<Key> = redis_keys
            .iter()
            .filter_map(|key| match self.keyspace.place(key) {
                Some(Place::Record(key)) => Some(key),
                _ => None,
            })
            .collect();
        drop(self.shared.hub.changed(&keys));
    }

    /// Anything may have changed.
    fn miss(&self) {
        drop(self.shared.hub.lost());
        drop(self.shared.hub.resync());
    }

    /// Whether this is the end, since nobody watches; who comes later starts another.
    fn is_unwatched(&self) -> bool {
        let mut task = lock(&self.shared.task);
        let unwatched = self.shared.hub.is_empty();
        if unwatched {
            *task = None;
            self.retired.store(true, Ordering::Release);
        }
        unwatched
    }
}
