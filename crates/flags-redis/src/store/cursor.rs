//! [`Cursor`]: how far a scan has come.

use flags_core::Result;

use super::RedisStorage;
use crate::connection::Access;
use crate::error::from_useless;
use crate::reply::{Command, Reply, Useless};

/// A place in a scan of keys or members. It means something to the server that gave it only: another one, or
/// the same after a restart, would leave out some. So a scan whose connection is gone begins again, and shows
/// some twice.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    at: Vec<u8>,
    /// The connection that it came from; none at the beginning.
    link: Option<u64>,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { at: b"0".to_vec(), link: None }
    }
}

impl Cursor {
    pub(super) fn at(&self) -> &[u8] {
        &self.at
    }

    /// Sends the commands, the first of which goes on from here. Answers where to go on, if there is more,
    /// and what was found.
    pub(super) async fn read(
        &self,
        store: &RedisStorage,
        commands: &[Command],
    ) -> Result<(Option<Self>, Vec<Reply>)> {
        self.try_read(store, commands).await?.map_err(from_useless)
    }

    /// [`read`](Self::read), where the server's error is an answer.
    pub(super) async fn try_read(
        &self,
        store: &RedisStorage,
        commands: &[Command],
    ) -> Result<Result<(Option<Self>, Vec<Reply>), Useless>> {
        let answer = store.read_whole(commands, Access::Cursor(self.link)).await?;
        let Some(reply) = answer.replies.into_iter().next() else {
            return Ok(Ok((Some(Self::default()), Vec::new())));
        };
        Ok(Self::page(reply, answer.link))
    }

    /// Where to go on, if there is more, and what was found, by the answer of that connection.
    pub(super) fn page(reply: Reply, link: u64) -> Result<(Option<Self>, Vec<Reply>), Useless> {
        let (at, items) = reply.cursor()?;
        Ok(((at != b"0").then_some(Self { at, link: Some(link) }), items))
    }
}
