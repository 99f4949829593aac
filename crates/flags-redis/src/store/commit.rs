//! Committing: one script, asked again with what it turns out to need.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flags_core::storage::{Action, Batch, Effect, Limit, Prepared, Revision};
use flags_core::{Alias, Error, ErrorKind, Key, Result};

use super::RedisStorage;
use super::need::{Learned, Need};
use super::plan::Plan;
use crate::connection::Access;
use crate::error::{Intent, from_failure, from_useless, is_out_of_step};
use crate::keyspace::{alias_field, member};
use crate::reply::{Command, Reply, ServerError, Unexpected, Useless};
use crate::script::COMMIT;

/// How often a commit starts over, while others keep changing what it depends on.
const ROUNDS: usize = 16;

/// What the script answered.
enum Answer {
    Done(Vec<Effect>),
    Needs(Vec<Need>),
    /// The first write was refused, and nothing was written.
    Refused(ServerError),
}

impl RedisStorage {
    pub(super) async fn commit_batch(&self, batch: Batch, handed: &AtomicBool) -> Result<Vec<Effect>> {
        let mut ops = batch.prepare(self.descriptor.limits())?;
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        self.check_writable().await?;
        let values = take_values(&mut ops);
        self.commit_prepared(&ops, &values, handed).await
    }

    pub(super) async fn commit_prepared(
        &self,
        ops: &[Prepared],
        values: &[Arc<Vec<u8>>],
        handed: &AtomicBool,
    ) -> Result<Vec<Effect>> {
        self.ask_of_unadopted().await?;
        let mut learned = Learned::new(ops, &self.known, self.descriptor.limits());
        let mut rounds = 0;
        while rounds < ROUNDS {
            let plan = Plan::new(ops, values, &learned, &self.keyspace);
            // For this round alone: what it turns out to need may be another commit.
            let lease = match &self.confirmed {
                Some(confirmed) => Some((confirmed, confirmed.take().await?)),
                None => None,
            };
            let connection = lease.as_ref().map_or(&*self.connection, |(_, lease)| lease);
            let (reply, link) = COMMIT
                .run(connection, &plan.keys, &plan.args, Access::Write(handed))
                .await
                .map_err(|failure| from_failure(failure, Intent::Write))?;
            let answer = answer(reply, ops, &plan, &learned);
            if let Some((_, lease)) = &lease {
                lease.busy(answer.as_ref().is_err_and(is_out_of_step));
            }
            match answer? {
                Answer::Done(effects) => {
                    self.remember(ops, &learned);
                    if let Some((confirmed, lease)) = &lease {
                        confirmed.confirm(lease, link, handed).await?;
                    }
                    return Ok(effects);
                }
                Answer::Needs(needs) => {
                    rounds += 1;
                    drop(lease);
                    self.learn(&mut learned, needs, ops, handed).await?;
                }
                // A replica, that was the master before: the commit did not run, and the master is another
                // one.
                Answer::Refused(error) if connection.gives_way(link, &error).await => {}
                Answer::Refused(error) => return Err(from_useless(error.into())),
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "other writers kept changing what this commit depends on; nothing was changed, try again",
        ))
    }

    /// Leaves out of what commits offer for adoption what the store knows of: offering it costs every commit
    /// more than asking costs one.
    async fn ask_of_unadopted(&self) -> Result<()> {
        let asked = self.known.to_ask();
        let commands: Vec<Command> = asked
            .iter()
            .map(|(alias, _)| {
                Command::new("HGET").arg(self.keyspace.aliases(alias.kind())).arg(alias_field(alias))
            })
            .collect();
        if commands.is_empty() {
            return Ok(());
        }
        for (reply, (alias, key)) in self.read(&commands).await?.into_iter().zip(asked) {
            if reply == Reply::Bytes(member(&key).into_bytes()) {
                self.known.stored(alias, key);
            }
        }
        Ok(())
    }

    fn remember(&self, ops: &[Prepared], learned: &Learned) {
        learned.adopted().for_each(|(alias, key)| self.known.stored(alias, key));
        for cascade in learned.cascades() {
            if let Some(id) = cascade.owner {
                self.known.forget(&Alias::FlagId(id));
            }
        }
        for op in ops {
            if let Action::Put { record, .. } = &op.action
                && let Some(alias) = record.alias()
            {
                self.known.stored(alias, op.key.clone());
            }
        }
    }
}

/// The JSON of what is put, out of the operations: a plan refers to it, and nothing copies it.
fn take_values(ops: &mut [Prepared]) -> Vec<Arc<Vec<u8>>> {
    let values = ops.iter_mut().filter_map(|op| match &mut op.action {
        Action::Put { bytes, .. } => Some(Arc::new(std::mem::take(bytes))),
        _ => None,
    });
    values.collect()
}

fn answer(reply: Reply, ops: &[Prepared], plan: &Plan, learned: &Learned) -> Result<Answer> {
    let mut parts = reply.list().map_err(from_script)?.into_iter();
    let mut next = || parts.next().unwrap_or(Reply::Nil);
    match next().text().map_err(malformed)?.as_str() {
        "ok" => {
            let mut effects = Vec::with_capacity(ops.len());
            for _ in ops {
                let before = revision(next())?;
                effects.push(Effect::new(before, revision(next())?));
            }
            Ok(Answer::Done(effects))
        }
        "fail" => {
            let place = next().int().map_err(malformed)?;
            let reason = next().text().map_err(malformed)?;
            Err(failure(&key_at(ops, place)?, &reason, learned))
        }
        "denied" => {
            let command = next().text().map_err(malformed)?;
            let reason = format!(
                "the server no longer permits {command}; nothing was changed, grant it to this user again"
            );
            Err(Error::new(ErrorKind::Denied, reason))
        }
        "refused" => Ok(Answer::Refused(within(refused(next())?))),
        "torn" => {
            let reason = "the server refused the rest of the commit after its first write, and part of it is applied; \
                          see the cause, then read back";
            Err(Error::new(ErrorKind::Indeterminate, reason).with_source(refused(next())?))
        }
        "type" => Err(wrong_type(next().int().map_err(malformed)?, ops, plan)),
        "need" => {
            let now_us = next().int().map_err(malformed)?;
            let mut needs = Vec::new();
            let rest: Vec<Reply> = parts.collect();
            for need in rest.chunks_exact(3) {
                needs.push(Need::read(need, now_us, ops.len())?);
            }
            Ok(Answer::Needs(needs))
        }
        _ => Err(surprise()),
    }
}

/// The error of a command in the script.
fn refused(reply: Reply) -> Result<ServerError> {
    let text = reply.text().map_err(malformed)?;
    // Redis before 7 puts the place in the script first, which `from_script` looks behind.
    let (code, message) = text.split_once(' ').unwrap_or(("ERR", &text));
    Ok(if code.starts_with('@') || code.ends_with(':') {
        ServerError::new("ERR", &text)
    } else {
        ServerError::new(code.trim_start_matches('-'), message)
    })
}

/// An answer that the script never gives: it ran, and what it did is not known.
pub(super) fn malformed(useless: Useless) -> Error {
    match useless {
        Useless::Server(error) => surprise().with_source(error),
        Useless::Shape(shape) => surprise().with_source(shape),
    }
}

fn revision(reply: Reply) -> Result<Option<Revision>> {
    let text = reply.text().map_err(malformed)?;
    Ok((!text.is_empty()).then(|| Revision::new(text)))
}

fn key_at(ops: &[Prepared], place: i64) -> Result<Key> {
    let op = usize::try_from(place).ok().and_then(|place| ops.get(place.checked_sub(1)?));
    op.map(|op| op.key.clone()).ok_or_else(surprise)
}

pub(super) fn surprise() -> Error {
    let shape = Unexpected("one that the commit script gives");
    Error::new(ErrorKind::Indeterminate, "the commit script answered what it never should; read back")
        .with_source(shape)
}

fn failure(key: &Key, reason: &str, learned: &Learned) -> Error {
    let key = key.clone();
    match reason {
        "exists" => Error::already_exists(key),
        "missing" => Error::not_found(key),
        "stale" => Error::conflict(key),
        "owner" => Error::owner_not_found(key),
        "limit" => {
            let owned = learned.cascades().find_map(|cascade| cascade.over).unwrap_or_default();
            Error::over_limit(Limit::OwnedPerDelete, owned, learned.owned_per_delete).with_key(key)
        }
        _ => Error::alias_conflict(key),
    }
}

/// A record's key, or an index's, holds a list or the like: somebody else's data.
fn wrong_type(position: i64, ops: &[Prepared], plan: &Plan) -> Error {
    let name = usize::try_from(position).ok().and_then(|position| plan.keys.get(position.checked_sub(1)?));
    let name = name.map_or("", String::as_str);
    let error = Error::new(
        ErrorKind::Corrupt,
        format!("the Redis key {name:?} holds another type than it should; move the other data away"),
    );
    match ops.iter().zip(&plan.records).find(|(_, record)| record.as_str() == name) {
        Some((op, _)) => error.with_key(op.key.clone()),
        None => error,
    }
}

/// An error of a script arrives in the words of the script: before its first write, since that is where
/// errors can be.
fn from_script(useless: Useless) -> Error {
    match useless {
        Useless::Server(error) => from_useless(within(error).into()),
        shape @ Useless::Shape(_) => malformed(shape),
    }
}

/// Redis before 7 wraps the error of a command: "ERR Error running script (call to f_...): @user_script:8: -OOM command ...".
fn within(error: ServerError) -> ServerError {
    let codes = ["READONLY", "OOM", "MISCONF", "NOREPLICAS", "WRONGTYPE", "NOPERM"];
    let inner = codes.into_iter().find(|code| error.message.contains(&format!("-{code} ")));
    match inner {
        Some(code) if error.code == "ERR" => ServerError::new(code, &error.message),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use flags_core::storage::Limits;
    use flags_core::{Flag, FlagKey};

    use super::super::known::Known;
    use super::*;
    use crate::keyspace::Keyspace;

    #[test]
    fn rounds_share_what_they_put() {
        let limits = Limits::default();
        let batch = Batch::new().put(Flag::new(FlagKey::new("a").unwrap()), flags_core::storage::Expect::Any);
        let mut ops = batch.prepare(&limits).unwrap();
        let values = take_values(&mut ops);
        let learned = Learned::new(&ops, &Known::default(), &limits);
        let keyspace = Keyspace::new("ff:").unwrap();
        for _ in 0..2 {
            let plan = Plan::new(&ops, &values, &learned, &keyspace);
            assert!(Arc::ptr_eq(&plan.args[1], &values[0]));
            let command = COMMIT.evalsha(&plan.keys, &plan.args);
            assert!(command.parts().last().is_some_and(|part| Arc::ptr_eq(part, &values[0])));
        }
    }

    #[test]
    fn an_answer_that_the_script_never_gives_leaves_it_open_what_happened() {
        let limits = Limits::default();
        let batch = Batch::new().put(Flag::new(FlagKey::new("a").unwrap()), flags_core::storage::Expect::Any);
        let ops = batch.prepare(&limits).unwrap();
        let learned = Learned::new(&ops, &Known::default(), &limits);
        let plan = Plan::new(&ops, &take_values(&mut ops.clone()), &learned, &Keyspace::new("ff:").unwrap());
        let text = |text: &str| Reply::Bytes(text.into());
        for reply in [
            Reply::Nil,
            Reply::Int(1),
            text("OK"),
            Reply::List(Vec::new()),
            Reply::List(vec![text("what")]),
            Reply::List(vec![text("ok"), text("")]),
            Reply::List(vec![text("fail"), text("x"), text("exists")]),
            Reply::List(vec![text("fail"), Reply::Int(9), text("exists")]),
            Reply::List(vec![text("type")]),
            Reply::List(vec![text("need"), text("1"), text("owner"), text("x"), text("")]),
        ] {
            let shown = format!("{reply:?}");
            let error = answer(reply, &ops, &plan, &learned).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Indeterminate, "{shown}");
            assert!(is_out_of_step(&error), "{shown}");
        }
    }
}
