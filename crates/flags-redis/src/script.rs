//! The scripts, and how one is run.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use sha1::{Digest, Sha1};

use crate::connection::{Access, Connection};
use crate::error::Failure;
use crate::reply::{Command, Reply};

pub(crate) static COMMIT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/commit.lua")));
pub(crate) static MEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/mend.lua")));
pub(crate) static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/probe.lua")));

pub(crate) struct Script {
    body: &'static str,
    digest: String,
}

impl Script {
    fn new(body: &'static str) -> Self {
        Self { body, digest: sha1_hex(body.as_bytes()) }
    }

    /// By its text, which the server keeps from then on.
    pub(crate) fn eval(&self, keys: &[impl AsRef<[u8]> + Sync], args: &[Arc<Vec<u8>>]) -> Command {
        command("EVAL", self.body, keys, args)
    }

    /// By its digest, which the server may have forgotten.
    pub(crate) fn evalsha(&self, keys: &[impl AsRef<[u8]> + Sync], args: &[Arc<Vec<u8>>]) -> Command {
        command("EVALSHA", &self.digest, keys, args)
    }

    /// Runs it, by its text if the server has forgotten it. A script that is not known did not run, so that
    /// this repeats nothing. Answers its reply and the number of the connection that it came from.
    pub(crate) async fn run(
        &self,
        connection: &Connection,
        keys: &[impl AsRef<[u8]> + Sync],
        args: &[Arc<Vec<u8>>],
        access: Access<'_>,
    ) -> Result<(Reply, u64), Failure> {
        let mut answer = connection.send(&[self.evalsha(keys, args)], access).await?;
        if matches!(answer.replies.first(), Some(Reply::Error(error)) if error.code == "NOSCRIPT") {
            answer = connection.send(&[self.eval(keys, args)], access).await?;
        }
        Ok((answer.replies.pop().unwrap_or(Reply::Nil), answer.link))
    }
}

fn command(name: &str, script: &str, keys: &[impl AsRef<[u8]> + Sync], args: &[Arc<Vec<u8>>]) -> Command {
    Command::new(name)
        .arg(script)
        .arg(keys.len().to_string())
        .args(keys.iter().map(AsRef::as_ref))
        .shared(args)
}

/// What `redis.sha1hex` answers.
pub(crate) fn sha1_hex(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().fold(String::with_capacity(40), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
