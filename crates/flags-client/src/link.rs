//! Following a store's watch, through every loss of it.

use std::sync::Arc;

use flags_core::storage::{BoxStream, Change};
use flags_core::{Clock, Error, ErrorKind, Key, StorageHandle};
use futures_util::{StreamExt, stream};

use crate::backoff::{Backoff, Pace};

/// What is heard of a store.
#[derive(Debug)]
pub(crate) enum News {
    /// The record may be another one.
    Changed(Key),
    /// Changes are not followed for now; why, where it is known.
    Lost(Option<Error>),
    /// Changes are followed from here on. Anything may have changed before.
    Resync,
    /// The store tells of no changes: never, or, where there is an error, not to this user, until
    /// that is granted.
    Unwatched(Option<Error>),
}

enum State {
    Subscribe,
    Follow(BoxStream<'static, Change>),
    Wait,
    End,
}

/// Subscribes, and subscribes again whenever the watch ends or cannot be had. Ends when the store is closed,
/// or tells of no changes.
pub(crate) fn follow(storage: StorageHandle, clock: Arc<dyn Clock>, pace: Pace) -> BoxStream<'static, News> {
    let link = Link { storage, clock, backoff: Backoff::new(pace), state: State::Subscribe };
    stream::unfold(link, async |mut link| link.next().await.map(|news| (news, link))).boxed()
}

struct Link {
    storage: StorageHandle,
    clock: Arc<dyn Clock>,
    backoff: Backoff,
    state: State,
}

impl Link {
    async fn next(&mut self) -> Option<News> {
        loop {
            match &mut self.state {
                State::End => return None,
                State::Wait => {
                    self.clock.sleep(self.backoff.next()).await;
                    self.state = State::Subscribe;
                }
                State::Subscribe => match self.storage.watch().await {
                    Ok(changes) => self.state = State::Follow(changes),
                    Err(error) => {
                        let (next, news) = match error.kind() {
                            ErrorKind::Unsupported => (State::End, News::Unwatched(None)),
                            ErrorKind::Closed => (State::End, News::Lost(Some(error))),
                            ErrorKind::Denied => (State::Wait, News::Unwatched(Some(error))),
                            _ => (State::Wait, News::Lost(Some(error))),
                        };
                        self.state = next;
                        return Some(news);
                    }
                },
                State::Follow(changes) => match changes.next().await {
                    Some(Change::Changed(key)) => return Some(News::Changed(key)),
                    Some(Change::Lost) => return Some(News::Lost(None)),
                    Some(Change::Resync) => {
                        self.backoff.reset();
                        return Some(News::Resync);
                    }
                    // What a later version may tell of may be anything.
                    Some(_) => return Some(News::Resync),
                    None => {
                        self.state = State::Wait;
                        return Some(News::Lost(None));
                    }
                },
            }
        }
    }
}
