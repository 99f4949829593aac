//! Opening: prove that the store can be used, and mark it as initialised.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flags_core::storage::{Capability, Descriptor};
use flags_core::{Error, ErrorKind, Kind, Result};
use uuid::Uuid;

use super::RedisStorage;
use super::concern::Confirmed;
use super::known::Known;
use crate::connection::Connection;
use crate::error::{Failure, from_useless};
use crate::keyspace::Keyspace;
use crate::options::{Foreign, Options};
use crate::reply::{Command, Reply, ServerError, Useless};
use crate::script::{COMMIT, PROBE};
use crate::watch::Watches;

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
            closed: AtomicBool::new(false),
        };
        let followed = store.reading(async {
            store.prove().await?;
            if let Some(confirmed) = &store.confirmed {
                confirmed.prove().await?;
            }
            store.mark().await?;
            store.can_be_followed().await
        });
        if followed.await? {
            store.descriptor = store.descriptor.clone().with(Capability::Watch);
        }
        Ok(store)
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

    /// Runs each command that the store uses on scratch keys, and leaves nothing behind.
    async fn prove(&self) -> Result<()> {
        let scratch: Vec<String> =
            ["text", "set", "sorted", "hash"].map(|name| self.keyspace.scratch(name)).into();
        let index = self.keyspace.all(Kind::Flag);
        let probes = [
            ("EVAL", PROBE.eval(&scratch, &[])),
            ("TIME", Command::new("TIME")),
            ("MGET", Command::new("MGET").arg(scratch[0].as_str())),
            ("SSCAN", Command::new("SSCAN").arg(index.as_str()).arg("0")),
            ("SCARD", Command::new("SCARD").arg(scratch[1].as_str())),
            ("ZCARD", Command::new("ZCARD").arg(scratch[2].as_str())),
            ("ZSCAN", Command::new("ZSCAN").arg(scratch[2].as_str()).arg("0")),
            ("HGET", Command::new("HGET").arg(scratch[3].as_str()).arg("a")),
            ("SCAN", Command::new("SCAN").args(["0", "COUNT", "1"])),
        ];
        let scans = self.foreign == Foreign::Scan;
        let probes: Vec<_> = probes.into_iter().filter(|(name, _)| scans || *name != "SCAN").collect();
        self.try_each(probes).await?;
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
        .await
    }

    async fn try_each(&self, probes: Vec<(&str, Command)>) -> Result<()> {
        let (names, commands): (Vec<&str>, Vec<Command>) = probes.into_iter().unzip();
        let replies = self.read(&commands).await?;
        for (reply, name) in replies.into_iter().zip(names) {
            match reply {
                // The probe script answers what it was refused, the commit script that it did nothing.
                Reply::List(answer) if name == "EVAL" => refusals(answer)?,
                reply => reply.done().map_err(|useless| refusal(name, useless))?,
            }
        }
        Ok(())
    }
}

/// What the probe script was refused: command, reason, command, reason.
fn refusals(answer: Vec<Reply>) -> Result<()> {
    let mut answer = answer.into_iter();
    let (Some(name), Some(reason)) = (answer.next(), answer.next()) else {
        return Ok(());
    };
    let (name, reason) = (name.text().map_err(from_useless)?, reason.text().map_err(from_useless)?);
    let (code, message) = reason.split_once(' ').unwrap_or(("ERR", &reason));
    Err(refusal(&name, ServerError::new(code.trim_start_matches('-'), message).into()))
}

fn refusal(name: &str, useless: Useless) -> Error {
    match useless {
        // A replica, a full disk or a missing password is no matter of one command.
        Useless::Server(error) if error.is_denial() && error.code != "NOAUTH" => {
            let reason =
                format!("the server does not permit {name}, which the store needs; grant it to this user");
            Error::new(ErrorKind::Denied, reason).with_source(error)
        }
        other => from_useless(other),
    }
}
