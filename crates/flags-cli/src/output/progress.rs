//! Progress of what takes more than a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use feature_flags::storage::{
    Batch, BoxStream, Change, Descriptor, Effect, Health, Query, Storage, StorageHandle, Stored,
};
use feature_flags::{Key, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is too short to be worth a bar.
const SHORT: Duration = Duration::from_secs(1);

/// A bar on standard error, if that is a terminal, once it takes long.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    since: Instant,
}

impl Progress {
    /// Counts things of which nobody knows how many there are.
    pub(crate) fn counting(what: &'static str) -> Self {
        Self::new(ProgressBar::hidden(), what, "{spinner} {pos} {msg}, {elapsed}")
    }

    /// Counts up to a number.
    pub(crate) fn of(total: usize, what: &'static str) -> Self {
        let bar = ProgressBar::hidden();
        bar.set_length(total as u64);
        Self::new(bar, what, "{wide_bar} {pos}/{len} {msg}, {eta} left")
    }

    fn new(bar: ProgressBar, what: &'static str, template: &str) -> Self {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar, since: Instant::now() }
    }

    /// Whether anything is done.
    pub(crate) fn has_begun(&self) -> bool {
        self.bar.position() > 0
    }

    /// So many more are done.
    pub(crate) fn add(&self, more: usize) {
        if self.bar.is_hidden() && self.since.elapsed() > SHORT {
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        self.bar.inc(more as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A store whose commits move a bar.
#[derive(Debug)]
pub(crate) struct Counted {
    inner: StorageHandle,
    progress: Progress,
}

impl Counted {
    pub(crate) fn handle(inner: &StorageHandle, progress: Progress) -> StorageHandle {
        Arc::new(Self { inner: Arc::clone(inner), progress })
    }
}

#[async_trait]
impl Storage for Counted {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        self.inner.get(keys).await
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        self.inner.list(query)
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        let effects = self.inner.commit(batch).await?;
        self.progress.add(effects.len());
        Ok(effects)
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        self.inner.watch().await
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
