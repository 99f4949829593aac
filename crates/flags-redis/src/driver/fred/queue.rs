//! [`Queue`]: commands in the order in which the library writes them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use fred::bytes::Bytes;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike as _, FredResult};
use fred::types::{ClusterHash, CustomCommand, Resp3Frame, Value};
use futures_util::FutureExt as _;

use super::convert;
use crate::error::Cause;
use crate::reply::{Command, Reply};

pub(super) struct Queue {
    client: Client,
    /// Held while commands are handed over, so that those of one caller stay together. How many callers there
    /// were.
    callers: Mutex<u64>,
    /// Every caller up to this number was answered: a server answers in order.
    answered: AtomicU64,
}

impl Queue {
    pub(super) fn new(client: Client) -> Self {
        Self { client, callers: Mutex::new(0), answered: AtomicU64::new(0) }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The commands are handed over one by one, without a wait in between, and the library writes what it
    /// finds handed over at once. A pipeline of its own it would flush command by command.
    pub(super) async fn send(&self, commands: &[Command]) -> Result<Vec<Reply>, Cause> {
        let mut asked: Vec<_> = commands.iter().map(|command| Box::pin(self.ask(command))).collect();
        let (caller, early) = poll_fn(|context| {
            let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
            *callers += 1;
            let early: Vec<_> = asked.iter_mut().map(|answer| answer.poll_unpin(context)).collect();
            Poll::Ready((*callers, early))
        })
        .await;
        let mut replies = Vec::with_capacity(commands.len());
        for (answer, early) in asked.into_iter().zip(early) {
            match settled(answer, early).await {
                Ok(frame) => replies.push(convert::reply(frame)),
                Err(error) => return self.failed(caller, replies, commands.len(), error),
            }
        }
        self.answered.fetch_max(caller, Ordering::AcqRel);
        Ok(replies)
    }

    fn ask(&self, command: &Command) -> impl Future<Output = FredResult<Resp3Frame>> + Send + '_ {
        let mut parts = command.parts().iter();
        let name = parts.next().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
        let args: Vec<Value> =
            parts.map(|part| Value::Bytes(Bytes::from_owner(Shared(Arc::clone(part))))).collect();
        // Without keys for it to look at: there is one server.
        self.client.custom_raw(CustomCommand::new(name, ClusterHash::FirstKey, false), args)
    }

    /// On some errors of a server (`CLUSTERDOWN`) the library ends the connection, with that error for
    /// everybody. Whose turn it was is the one whom the server answered so; what became of the others'
    /// commands is not known.
    fn failed(
        &self,
        caller: u64,
        mut replies: Vec<Reply>,
        expected: usize,
        error: Error,
    ) -> Result<Vec<Reply>, Cause> {
        let turn = !replies.is_empty() || self.answered.load(Ordering::Acquire) + 1 == caller;
        match convert::server_error(&error) {
            Some(refusal) if turn => {
                replies.resize_with(expected, || Reply::Error(refusal.clone()));
                Ok(replies)
            }
            _ => Err(Cause::broken(error)),
        }
    }
}

async fn settled<T>(answer: Pin<Box<impl Future<Output = T>>>, early: Poll<T>) -> T {
    match early {
        Poll::Ready(value) => value,
        Poll::Pending => answer.await,
    }
}

/// Bytes that are in several commands at once, and copied for none.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
