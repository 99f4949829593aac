//! `flags watch`.

use std::collections::BTreeMap;
use std::time::Duration;

use feature_flags::storage::{BoxStream, Change, Query, Stored};
use feature_flags::{Clock as _, ErrorKind, Key, Kind, SystemClock};
use futures_util::{FutureExt as _, StreamExt as _};

use super::Session;
use crate::args::Watch;
use crate::failure::{Exit, Failure};
use crate::output::{Live, changes, clean, count, second};

/// Changes that come together are drawn together.
const REDRAW: Duration = Duration::from_millis(100);
/// How many records are read at once.
const AT_ONCE: usize = 500;

pub(super) async fn run(session: &Session, watch: &Watch) -> Result<Exit, Failure> {
    let mut following = Following {
        session,
        known: BTreeMap::new(),
        live: if watch.lines || session.out.is_json() { None } else { Live::on_terminal() },
        left: watch.count.map(u64::from),
    };
    let mut changes = session.store.storage().watch().await.map_err(unsupported)?;
    while let Some(change) = changes.next().await {
        if following.live.is_some() {
            tokio::time::sleep(REDRAW).await;
        }
        let batch = ready(change, &mut changes);
        following.take(batch).await?;
        if following.left == Some(0) {
            return Ok(Exit::Ok);
        }
    }
    Err(Failure::from(feature_flags::Error::closed()))
}

fn unsupported(error: feature_flags::Error) -> Failure {
    let unsupported = error.kind() == ErrorKind::Unsupported;
    let failure = Failure::from(error);
    if unsupported { failure.with_hint("`flags flag list` shows what is there now") } else { failure }
}

/// The change and those behind it that are there already.
fn ready(first: Change, changes: &mut BoxStream<'static, Change>) -> Vec<Change> {
    let mut batch = vec![first];
    while batch.len() < AT_ONCE
        && let Some(Some(change)) = changes.next().now_or_never()
    {
        batch.push(change);
    }
    batch
}

struct Following<'a> {
    session: &'a Session,
    /// The flags as they were last seen, so that a line can say what has changed.
    known: BTreeMap<Key, Stored>,
    live: Option<Live>,
    /// How many changes are to be told still.
    left: Option<u64>,
}

impl Following<'_> {
    async fn take(&mut self, batch: Vec<Change>) -> Result<(), Failure> {
        let mut keys = Vec::new();
        for change in batch {
            match change {
                Change::Changed(key) => keys.push(key),
                other => {
                    self.changed(std::mem::take(&mut keys)).await?;
                    self.turn(&other).await?;
                }
            }
        }
        self.changed(keys).await?;
        self.draw("following; Ctrl-C ends")
    }

    /// The store is lost or followed again.
    async fn turn(&mut self, change: &Change) -> Result<(), Failure> {
        let out = self.session.out;
        let word = match change {
            Change::Lost => "lost",
            Change::Resync => "resync",
            _ => return Ok(()),
        };
        if out.is_json() {
            out.value(&serde_json::json!({ "change": word }))?;
        }
        if *change == Change::Lost {
            if self.live.is_none() {
                out.note("the store is lost; what changes now is told once it is back");
            }
            return self.draw("the store is lost; this is how it was");
        }
        let flags: BTreeMap<Key, Stored> = self
            .session
            .store
            .storage()
            .list(Query::All(Kind::Flag))
            .filter_map(|item| std::future::ready(item.ok()))
            .map(|stored| (stored.record.key(), stored))
            .collect()
            .await;
        let before = std::mem::replace(&mut self.known, flags);
        if self.live.is_none() {
            out.note(&format!("following {}; Ctrl-C ends", count(self.known.len(), "flag")));
        }
        if out.is_json() || before.is_empty() {
            return Ok(());
        }
        // What changed while nobody saw it.
        let mut keys: Vec<&Key> = before.keys().chain(self.known.keys()).collect();
        keys.sort();
        keys.dedup();
        let mut lines = Vec::new();
        for key in keys {
            let (old, new) = (before.get(key), self.known.get(key));
            if old.map(|stored| &stored.revision) != new.map(|stored| &stored.revision) {
                lines.push(line(key, &changes(old, new)?));
            }
        }
        lines.into_iter().try_for_each(|line| self.tell(line))
    }

    async fn changed(&mut self, keys: Vec<Key>) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let answers = self.session.store.storage().get(&keys).await?;
        for (key, answer) in keys.into_iter().zip(answers) {
            if self.left == Some(0) {
                return Ok(());
            }
            let (after, error) = match answer {
                Ok(after) => (after, None),
                Err(corrupt) => (None, Some(corrupt.to_string())),
            };
            if self.session.out.is_json() {
                self.session.out.change(&key, after.as_ref(), error.as_deref())?;
                self.told();
                continue;
            }
            let what = match &error {
                Some(error) => clean(error),
                None => changes(self.known.get(&key), after.as_ref())?,
            };
            match after {
                Some(after) if key.kind() == Kind::Flag => drop(self.known.insert(key.clone(), after)),
                _ => drop(self.known.remove(&key)),
            }
            self.tell(line(&key, &what))?;
        }
        Ok(())
    }

    fn tell(&mut self, line: String) -> Result<(), Failure> {
        self.told();
        match &mut self.live {
            Some(live) => live.tell(line),
            None => drop(self.session.out.text(&format!("{line}\n"))?),
        }
        Ok(())
    }

    fn told(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    fn draw(&mut self, state: &str) -> Result<(), Failure> {
        if let Some(live) = &mut self.live {
            let flags: Vec<Stored> = self.known.values().cloned().collect();
            live.draw(&flags, state)?;
        }
        Ok(())
    }
}

/// `2026-03-01 09:30:00 flag:new-checkout: what has changed`
fn line(key: &Key, what: &str) -> String {
    format!("{} {}: {what}", second(SystemClock.now()), clean(&key.to_string()))
}
