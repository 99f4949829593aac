//! [`Watching`]: one watch, read with bounds.

use std::collections::HashSet;

use flags_core::Key;
use flags_core::storage::{BoxStream, Change};
use futures_util::StreamExt;

use crate::stop::{Checked, equal, fail, short};
use crate::store::bounded;

/// A watch whose first `Resync` was read.
pub(crate) struct Watching {
    stream: BoxStream<'static, Change>,
}

/// What a reader of a watch knows at some point.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Records that it must read again.
    pub(crate) keys: HashSet<Key>,
    /// Whether it must read everything again.
    pub(crate) resync: bool,
}

impl Watching {
    pub(crate) async fn new(stream: BoxStream<'static, Change>) -> Checked<Self> {
        let mut watching = Self { stream };
        equal(
            "the first item of a watch",
            &watching.next("the first item of a watch").await?,
            &Some(Change::Resync),
        )?;
        Ok(watching)
    }

    /// The next item, in time.
    pub(crate) async fn next(&mut self, what: &str) -> Checked<Option<Change>> {
        bounded(what, self.stream.next()).await
    }

    /// Reads until the watch has reported all of these records, one by one or by a `Resync`.
    pub(crate) async fn reports<'a>(
        &mut self,
        what: &str,
        keys: impl IntoIterator<Item = &'a Key>,
    ) -> Checked<Seen> {
        let mut missing: HashSet<Key> = keys.into_iter().cloned().collect();
        let mut seen = Seen::default();
        while !missing.is_empty() {
            let waiting = format!("{what}: the watch should report {}", short(&missing));
            match self.next(&waiting).await? {
                Some(Change::Changed(key)) => {
                    missing.remove(&key);
                    seen.keys.insert(key);
                }
                Some(Change::Resync) => {
                    missing.clear();
                    seen.resync = true;
                }
                // A resync follows.
                Some(Change::Lost) => {}
                other => fail!("{waiting}: expected a change, came {other:?}"),
            }
        }
        Ok(seen)
    }

    /// The watch ends.
    pub(crate) async fn ends(&mut self, what: &str) -> Checked {
        while self.next(&format!("{what}: the watch should end")).await?.is_some() {}
        Ok(())
    }
}
