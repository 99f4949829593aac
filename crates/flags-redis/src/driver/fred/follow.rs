//! Being told of changes.
//!
//! Under RESP3 the library passes an invalidation on only if it names keys, so that an emptied database goes
//! unnoticed. Under RESP2 a connection can have what is told sent to itself, as messages of a channel, and
//! there the library keeps the message that names none.

use fred::interfaces::PubsubInterface as _;
use fred::types::client::Invalidation;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::mpsc;

use super::{Line, Pulse};
use crate::driver::{Follow, Push};
use crate::error::{Cause, Failure};
use crate::reply::{Command, Reply, ServerError};

/// How many pushes wait for being passed on before some are lost.
pub(super) const HELD: usize = 1024;
/// Where a server sends invalidations under RESP2.
const CHANNEL: &str = "__redis__:invalidate";

impl Line {
    pub(super) async fn following(
        mut self,
        follow: &Follow,
        told: broadcast::Receiver<Invalidation>,
    ) -> Result<Self, Failure> {
        let id = self.ask(Command::new("CLIENT").arg("ID")).await?;
        let Reply::Int(id) = id else {
            return Err(Failure::NotSent(Cause::broken("the server does not tell which connection this is")));
        };
        let tracking =
            Command::new("CLIENT").args(["TRACKING", "ON", "REDIRECT"]).arg(id.to_string()).arg("BCAST");
        let tracking = follow
            .prefixes
            .iter()
            .fold(tracking, |command, prefix| command.arg("PREFIX").arg(prefix.as_str()));
        self.ask(tracking).await?;
        let subscribed = self.queue.client().subscribe(CHANNEL).await;
        subscribed.map_err(|error| Failure::NotSent(Cause::broken(error)))?;
        self.is_subscribed().await?;
        self.following = Some(Pulse::of(pass_on(told, follow.to.clone(), self.pulse.ended()), ()));
        Ok(self)
    }
}

impl Line {
    /// The library takes a subscription for done when it is sent, and its refusal for the answer to whatever
    /// was asked next, if anything was. What proves it is that a subscriber may ask for nothing else under
    /// RESP2.
    async fn is_subscribed(&self) -> Result<(), Failure> {
        match self.ask(Command::new("CLIENT").arg("ID")).await {
            Err(Failure::Refused(error)) if error.message.contains("allowed in this context") => Ok(()),
            Err(other) => Err(other),
            Ok(_) => {
                let words = format!("this user has no permissions to access the channel {CHANNEL}");
                Err(Failure::Refused(ServerError::new("NOPERM", &words)))
            }
        }
    }
}

async fn pass_on(
    mut told: broadcast::Receiver<Invalidation>,
    to: mpsc::UnboundedSender<Push>,
    ended: impl Future<Output = ()>,
) {
    let mut ended = std::pin::pin!(ended);
    loop {
        let push = tokio::select! {
            biased;
            next = told.recv() => match next {
                Ok(invalidation) => push(&invalidation),
                Err(RecvError::Lagged(_)) => Push::Lost,
                Err(RecvError::Closed) => break,
            },
            () = &mut ended => break,
        };
        if to.send(push).is_err() {
            return;
        }
    }
    // What came before the end comes before its news.
    loop {
        match told.try_recv() {
            Ok(invalidation) => drop(to.send(push(&invalidation))),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    let _ = to.send(Push::Lost);
}

fn push(invalidation: &Invalidation) -> Push {
    let keys: Vec<Vec<u8>> = invalidation.keys.iter().map(|key| key.as_bytes().to_vec()).collect();
    // The library says "all" by naming none.
    Push::Invalidate(if keys.is_empty() { None } else { Some(keys) })
}
