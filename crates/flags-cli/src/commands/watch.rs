//! `flags watch`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use feature_flags::storage::{BoxStream, Change, Query, Revision, Stored};
use feature_flags::{Clock as _, Error, ErrorKind, Key, Kind, SystemClock};
use futures_util::{FutureExt as _, StreamExt as _};

use super::complaints::Complaints;
use super::{Session, listing};
use crate::args::Watch;
use crate::failure::{Exit, Failure};
use crate::output::{DELETED, Live, Progress, WRITTEN, WRITTEN_AGAIN, changes, clean, count, second};

/// Changes that come together are drawn together.
const REDRAW: Duration = Duration::from_millis(100);
/// How many records are read at once.
const AT_ONCE: usize = 500;
/// What is said of a record that cannot be asked for.
const TOO_LONG: &str = "its key is too long to be read here";
/// When a store that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(500);

pub(super) async fn run(session: &Session, watch: &Watch) -> Result<Exit, Failure> {
    let mut following = Following {
        session,
        known: None,
        others: HashMap::new(),
        complaints: Complaints::known(session).await,
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
    Err(Failure::from(Error::closed()))
}

fn unsupported(error: Error) -> Failure {
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

/// All that is in the store.
#[derive(Default)]
struct All {
    flags: BTreeMap<Key, Stored>,
    others: HashMap<Key, Revision>,
    unreadable: Vec<Error>,
}

struct Following<'a> {
    session: &'a Session,
    /// The flags as they were last seen, so that a line can say what has changed; none before they were first
    /// read.
    known: Option<BTreeMap<Key, Stored>>,
    /// The revision of every other record: enough to tell that it has changed, and there may be very many.
    others: HashMap<Key, Revision>,
    complaints: Complaints,
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
            for warning in self.complaints.news(self.session).await {
                match &mut self.live {
                    Some(live) => live.tell(clean(&warning)),
                    None => out.warning(&Failure::health(warning)),
                }
            }
            return self.draw("the store is lost; this is how it was");
        }
        self.complaints.forget_what_is_over(self.session).await;
        // Programs read what they need themselves: anything may have changed.
        if out.is_json() { Ok(()) } else { self.compare().await }
    }

    /// Reads all records, and tells what changed while nobody saw it.
    async fn compare(&mut self) -> Result<(), Failure> {
        let All { flags, others, unreadable } = self.answered(async || self.all().await).await?;
        if self.live.is_none() {
            self.session.out.note(&format!("following {}; Ctrl-C ends", count(flags.len(), "flag")));
        }
        for error in &unreadable {
            // A flag is missing from the number above. Of the rest, what could be read before is news.
            let is_news =
                error.key().is_none_or(|key| key.kind() == Kind::Flag || self.others.contains_key(key));
            if is_news {
                self.warn(error);
            }
        }
        // One that cannot be read is not deleted.
        let unreadable: HashSet<&Key> = unreadable.iter().filter_map(Error::key).collect();
        let others_before = std::mem::replace(&mut self.others, others);
        let Some(before) = self.known.replace(flags.clone()) else { return Ok(()) };
        let mut news = Vec::new();
        let mut keys: Vec<&Key> = before.keys().chain(flags.keys()).collect();
        keys.sort();
        keys.dedup();
        for key in keys.into_iter().filter(|key| !unreadable.contains(key)) {
            let (old, new) = (before.get(key), flags.get(key));
            if old.map(|stored| &stored.revision) != new.map(|stored| &stored.revision) {
                news.push((key, changes(old, new)?));
            }
        }
        let of_flags = news.len();
        let written = self.others.iter().filter(|(key, now)| others_before.get(*key) != Some(*now));
        news.extend(written.map(|(key, _)| (key, WRITTEN.to_owned())));
        let gone = |key: &&Key| !self.others.contains_key(*key) && !unreadable.contains(key);
        news.extend(others_before.keys().filter(gone).map(|key| (key, DELETED.to_owned())));
        news[of_flags..].sort();
        let lines: Vec<String> = news.into_iter().map(|(key, what)| line(key, &what)).collect();
        for line in lines {
            if self.left == Some(0) {
                break;
            }
            self.tell(line)?;
        }
        Ok(())
    }

    /// Says that a record cannot be read.
    fn warn(&mut self, error: &Error) {
        let failure = Failure::from(error);
        match (&mut self.live, error.key()) {
            (Some(live), Some(key)) => live.tell(line(key, &clean(&failure.message))),
            _ => self.session.out.warning(&failure),
        }
    }

    /// Every record, or no answer: half a listing would look as if the rest had been deleted.
    async fn all(&self) -> Result<All, Failure> {
        let mut all = All::default();
        let progress = Progress::counting("records read");
        for kind in Kind::ALL {
            let keep = |stored: Stored| {
                let key = stored.record.key();
                match kind {
                    Kind::Flag => drop(all.flags.insert(key, stored)),
                    _ => drop(all.others.insert(key, stored.revision)),
                }
                Ok(())
            };
            let unreadable = |error: Error| all.unreadable.push(error);
            listing::each(self.session, Query::All(kind), &progress, keep, unreadable).await?;
        }
        Ok(all)
    }

    /// What a read answers, as often as it takes until the store does: what has changed is not told again.
    async fn answered<T>(&self, read: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut told = false;
        loop {
            match read().await {
                Err(mut failure) if failure.exit == Exit::Unavailable => {
                    if !std::mem::replace(&mut told, true) && self.live.is_none() {
                        failure.exit = Exit::Ok;
                        self.session.out.warning(&failure.with_hint("it is asked again until it answers"));
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn changed(&mut self, keys: Vec<Key>) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let storage = self.session.store.storage();
        // Another library may write what is past the limits here. That it changed can be told all the same.
        let limit = storage.descriptor().limits().key_bytes;
        let (readable, too_long): (Vec<Key>, Vec<Key>) =
            keys.into_iter().partition(|key| key.text_len() <= limit);
        let answers = self.answered(async || storage.get(&readable).await.map_err(Failure::from)).await?;
        // Its key is said already.
        let answers = answers.into_iter().map(|answer| answer.map_err(|error| Failure::from(error).message));
        let unread = too_long.into_iter().map(|key| (key, Err(TOO_LONG.to_owned())));
        for (key, answer) in readable.iter().cloned().zip(answers).chain(unread) {
            if self.left == Some(0) {
                return Ok(());
            }
            let (after, error) = match answer {
                Ok(after) => (after, None),
                Err(message) => (None, Some(message)),
            };
            if self.session.out.is_json() {
                self.session.out.change(&key, after.as_ref(), error.as_deref())?;
                self.told();
                continue;
            }
            let what = match error {
                Some(error) => clean(&error),
                None if key.kind() == Kind::Flag => {
                    changes(self.known.as_ref().and_then(|known| known.get(&key)), after.as_ref())?
                }
                None => self.other(&key, after.as_ref()).to_owned(),
            };
            if key.kind() == Kind::Flag {
                let known = self.known.get_or_insert_default();
                match after {
                    Some(after) => drop(known.insert(key.clone(), after)),
                    None => drop(known.remove(&key)),
                }
            }
            self.tell(line(&key, &what))?;
        }
        Ok(())
    }

    /// What became of a record that is no flag.
    fn other(&mut self, key: &Key, after: Option<&Stored>) -> &'static str {
        let Some(after) = after else {
            self.others.remove(key);
            return DELETED;
        };
        let before = self.others.insert(key.clone(), after.revision.clone());
        if before.as_ref() == Some(&after.revision) { WRITTEN_AGAIN } else { WRITTEN }
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
            live.draw(self.known.get_or_insert_default().values(), state)?;
        }
        Ok(())
    }
}

/// `2026-03-01 09:30:00 flag:new-checkout: what has changed`
fn line(key: &Key, what: &str) -> String {
    format!("{} {}: {what}", second(SystemClock.now()), clean(&key.to_string()))
}
