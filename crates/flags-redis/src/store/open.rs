//! Opening: prove that the store can be used, and mark it as initialised.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flags_core::storage::{Capability, Descriptor};
use flags_core::{Error, ErrorKind, Kind, Result};
use uuid::Uuid;

use super::RedisStorage;
use super::concern::Confirmed;
use super::known::Known;
use super::source::one;
use crate::connection::Connection;
use crate::error::{Failure, from_useless};
use crate::keyspace::Keyspace;
use crate::options::{Foreign, Options};
use crate::reply::{Command, Reply, ServerError, Useless};
use crate::script::{COMMIT, PROBE};
use crate::watch::Watches;

/// The commands of commits that change something.
const WRITES: [&str; 10] =
    ["SET", "DEL", "SADD", "SREM", "ZADD", "ZREM", "ZREMRANGEBYSCORE", "HSET", "HSETNX", "HDEL"];

impl RedisStorage {
    pub(crate) async fn open_with(options: Options, keyspace: Keyspace) -> Result<Self> {
        let mut store = Self {
            connection: Arc::new(Connection::new(&options, keyspace.hash_tag())?),
            watches: Watches::new(),
            confirmed: Confirmed::new(&options, keyspace.hash_tag())?,
            keyspace,
            descriptor: Descriptor::new("redis").with(Capability::Durable).with(Capability::Shared),
            foreign: options.foreign,
            deadline: options.deadline,
            known: Known::default(),
            sort_refused: AtomicBool::new(false),
            unwritable: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        };
        let followed = store.reading(async {
            store.prove_reading().await?;
            // There is still the reading.
            let refused = store.begin_writing().await?;
            store.unwritable.store(refused.is_some(), Ordering::Relaxed);
            store.can_be_followed().await
        });
        if followed.await? {
            store.descriptor = store.descriptor.clone().with(Capability::Watch);
        }
        Ok(store)
    }

    /// Proves that commits can be made, and marks the store. Answers why not, where the server takes no
    /// writes, or none of this user.
    ///
    /// # Errors
    ///
    /// `Denied` for a user who may do some of what a commit needs: that is a mistake, which nobody wants to
    /// find out later.
    async fn begin_writing(&self) -> Result<Option<Error>> {
        if let Some(refused) = self.prove_writing().await? {
            return Ok(Some(refused));
        }
        if let Some(confirmed) = &self.confirmed {
            confirmed.prove().await?;
        }
        self.mark().await?;
        Ok(None)
    }

    /// For a store that took no writes the last time: proves it now.
    ///
    /// # Errors
    ///
    /// `Denied`, still. What the server has against everybody's writes the commit finds out by itself, before
    /// its first one; it may be one that the server takes, to make room.
    pub(super) async fn check_writable(&self) -> Result<()> {
        if !self.unwritable.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.begin_writing().await? {
            Some(denied) if denied.kind() == ErrorKind::Denied => Err(denied),
            Some(_) => Ok(()),
            None => {
                self.unwritable.store(false, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Says that a store was initialised here, by an id of its own: one that was emptied and initialised
    /// again has another. Whoever comes first says it, so that repeating it on a new connection does no harm.
    async fn mark(&self) -> Result<()> {
        let set = |field: &str, value: String| {
            Command::new("HSETNX").arg(self.keyspace.marker()).arg(field).arg(value)
        };
        let marks = [set("format", "1".to_owned()), set("id", Uuid::new_v4().to_string())];
        for reply in self.read(&marks).await? {
            reply.done().map_err(from_useless)?;
        }
        Ok(())
    }

    /// Whether the server tells of changes: each driver asks for that in its own way, so that trying it is
    /// the only proof. What this user may not, or fails for another reason, may work later.
    async fn can_be_followed(&self) -> Result<bool> {
        let followed = self.connection.follow(self.keyspace.record_prefixes()).await;
        Ok(!matches!(followed, Err(Failure::Refused(refusal)) if refusal.is_unknown_command()))
    }

    /// Four keys of nobody.
    fn scratch(&self) -> [String; 4] {
        ["text", "set", "sorted", "hash"].map(|name| self.keyspace.scratch(name))
    }

    /// Runs each command by which the store reads.
    async fn prove_reading(&self) -> Result<()> {
        let [text, set, sorted, hash] = self.scratch();
        let index = self.keyspace.all(Kind::Flag);
        let probes = [
            ("TIME", Command::new("TIME")),
            ("MGET", Command::new("MGET").arg(text)),
            ("SSCAN", Command::new("SSCAN").arg(index).arg("0")),
            ("SCARD", Command::new("SCARD").arg(set)),
            ("ZCARD", Command::new("ZCARD").arg(sorted.as_str())),
            ("ZSCAN", Command::new("ZSCAN").arg(sorted).arg("0")),
            ("HGET", Command::new("HGET").arg(hash).arg("a")),
            ("SCAN", Command::new("SCAN").args(["0", "COUNT", "1"])),
        ];
        let scans = self.foreign == Foreign::Scan;
        let probes: Vec<_> = probes.into_iter().filter(|(name, _)| scans || *name != "SCAN").collect();
        self.try_each(probes).await
    }

    /// Runs each command of which commits are made on scratch keys, and leaves nothing behind. Answers why
    /// the store takes none, where it takes none at all.
    async fn prove_writing(&self) -> Result<Option<Error>> {
        let scratch = self.scratch();
        let refused = match one(self.read(&[PROBE.eval(&scratch, &[])]).await?).list() {
            Ok(answer) => refusals(answer).map_err(from_useless)?,
            Err(Useless::Server(error)) => return self.without_scripts(error).await.map(Some),
            Err(shape) => return Err(from_useless(shape)),
        };
        if let Some(first) = refused.first() {
            let by_server = refused.iter().find(|(_, error)| error.takes_no_writes());
            let is_refused = |write: &str| refused.iter().any(|(name, _)| name == write);
            let takes_none = by_server.is_some() || WRITES.iter().all(|write| is_refused(write));
            let (name, error) = by_server.unwrap_or(first);
            let reason = refusal(name, error.clone().into());
            return if takes_none { Ok(Some(reason)) } else { Err(reason) };
        }
        // Running the script on nothing leaves it with the server. Not before the server has taken smaller
        // commands: it hangs up on one of 16 KiB from who has not given the password, instead of asking for
        // it.
        let nothing = br#"{"types":"","ops":[],"ghosts":{},"adopt":[]}"#.to_vec();
        let nothing = Arc::new(nothing);
        let nothing = std::slice::from_ref(&nothing);
        let none: [&str; 0] = [];
        self.try_each(vec![
            ("EVAL", COMMIT.eval(&none, nothing)),
            ("EVALSHA", COMMIT.evalsha(&none, nothing)),
        ])
        .await?;
        Ok(None)
    }

    /// Scripts are refused, and perhaps everything else that writes.
    async fn without_scripts(&self, error: ServerError) -> Result<Error> {
        let reason = refusal("EVAL", error.clone().into());
        if error.takes_no_writes() {
            return Ok(reason);
        }
        if is_denied(&error) {
            let [text, ..] = self.scratch();
            let deleted = one(self.read(&[Command::new("DEL").arg(text)]).await?);
            if matches!(deleted, Reply::Error(also) if is_denied(&also)) {
                return Ok(reason);
            }
        }
        Err(reason)
    }

    async fn try_each(&self, probes: Vec<(&str, Command)>) -> Result<()> {
        let (names, commands): (Vec<&str>, Vec<Command>) = probes.into_iter().unzip();
        let replies = self.read(&commands).await?;
        for (reply, name) in replies.into_iter().zip(names) {
            reply.done().map_err(|useless| refusal(name, useless))?;
        }
        Ok(())
    }
}

/// What the probe script was refused: command, reason, command, reason.
fn refusals(answer: Vec<Reply>) -> Result<Vec<(String, ServerError)>, Useless> {
    let mut refused = Vec::new();
    let mut answer = answer.into_iter();
    while let (Some(name), Some(reason)) = (answer.next(), answer.next()) {
        let reason = reason.text()?;
        let (code, message) = reason.split_once(' ').unwrap_or(("ERR", &reason));
        refused.push((name.text()?, ServerError::new(code.trim_start_matches('-'), message)));
    }
    Ok(refused)
}

fn is_denied(error: &ServerError) -> bool {
    error.is_denial() && error.code != "NOAUTH"
}

fn refusal(name: &str, useless: Useless) -> Error {
    match useless {
        // A replica, a full disk or a missing password is no matter of one command.
        Useless::Server(error) if is_denied(&error) => {
            let reason =
                format!("the server does not permit {name}, which the store needs; grant it to this user");
            Error::new(ErrorKind::Denied, reason).with_source(error)
        }
        Useless::Server(error) if error.is_unknown_command() => {
            let reason = format!(
                "the server has no {name}, which the store needs; it is older than Redis 6.2, or the command is renamed, or something \
                 stands in front of it that does not pass it on"
            );
            Error::unsupported(reason).with_source(error)
        }
        other => from_useless(other),
    }
}
