//! [`Complaints`]: why a store is not followed, as far as it can tell.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use feature_flags::ErrorKind;
use feature_flags::storage::Change;
use futures_util::StreamExt as _;

use super::Session;

/// When a watch that ended, or could not begin, is begun again.
const AGAIN: Duration = Duration::from_millis(500);

/// What the health of the store warns of, of which only what is new says why it is lost.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    known: BTreeSet<String>,
}

impl Complaints {
    /// Before the store is followed: what it warns of already is no reason.
    pub(super) async fn known(session: &Session) -> Self {
        Self { known: warnings(session).await.into_iter().collect() }
    }

    /// Once it is lost: what it warns of that it did not before. Nothing where it does not answer
    /// at all.
    pub(super) async fn news(&mut self, session: &Session) -> Vec<String> {
        let mut news = warnings(session).await;
        news.retain(|warning| self.known.insert(warning.clone()));
        news
    }

    /// Once it is followed again: what is over would be a reason again. Adds none: what it warns of
    /// now may be why it is about to be lost.
    pub(super) async fn forget_what_is_over(&mut self, session: &Session) {
        let now = warnings(session).await;
        self.known.retain(|warning| now.contains(warning));
    }
}

async fn warnings(session: &Session) -> Vec<String> {
    session.store.health_check().await.map(|health| health.warnings).unwrap_or_default()
}

/// Says why, whenever the store is lost, for as long as it is polled.
pub(super) async fn tell(
    session: &Session,
    mut complaints: Complaints,
    mut say: impl FnMut(String),
) -> Infallible {
    let mut fails = false;
    loop {
        match session.store.storage().watch().await {
            Ok(mut changes) => {
                fails = false;
                while let Some(change) = changes.next().await {
                    match change {
                        Change::Lost => complaints.news(session).await.into_iter().for_each(&mut say),
                        Change::Resync => complaints.forget_what_is_over(session).await,
                        _ => {}
                    }
                }
            }
            // There will be nothing to tell.
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Closed) => {
                return std::future::pending().await;
            }
            // Once may be chance: somebody is just writing the file.
            Err(_) if !std::mem::replace(&mut fails, true) => {}
            Err(_) => complaints.news(session).await.into_iter().for_each(&mut say),
        }
        tokio::time::sleep(AGAIN).await;
    }
}
