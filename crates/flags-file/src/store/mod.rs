//! [`FileStorage`]: the contract over one file.

mod blocking;
mod commit;
mod eyes;
mod follow;
mod health;
mod shared;
mod turns;
mod view;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use flags_core::storage::{
    Batch, BoxStream, Change, Descriptor, Effect, Health, Query, Storage, Stored, check_keys,
};
use flags_core::{Key, Result};
use futures_util::{StreamExt, stream};

use crate::options::{FileBuilder, Options};
use blocking::{answer, runtime};
use shared::Shared;

/// A store in one file. Clones are handles on the same opening; other openings, in this process or others,
/// see the same records.
///
/// Every method must be called within a tokio runtime, ends within the [deadline](FileBuilder::deadline), and
/// may be dropped at any time: a commit that has begun to write runs to its end.
#[derive(Clone)]
pub struct FileStorage {
    shared: Arc<Shared>,
}

impl FileStorage {
    /// Opens the file at `path`: [`builder`](Self::builder), then [`open`](FileBuilder::open).
    ///
    /// # Errors
    ///
    /// Those of [`FileBuilder::open`].
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        Self::builder(path).open().await
    }

    /// Opens the file that a URL names: [`FileBuilder::from_url`], then [`open`](FileBuilder::open).
    ///
    /// # Errors
    ///
    /// Those of both.
    pub async fn connect(url: &str) -> Result<Self> {
        FileBuilder::from_url(url)?.open().await
    }

    /// What there is to choose before opening the file at `path`.
    pub fn builder(path: impl Into<PathBuf>) -> FileBuilder {
        FileBuilder::new(path)
    }

    /// Where the file is, from the root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.options.path
    }

    pub(crate) async fn open_with(options: Options) -> Result<Self> {
        let deadline = options.deadline;
        let opening = runtime()?.spawn_blocking(move || Shared::open(options));
        let shared = answer(deadline, opening).await?.map_err(|fault| fault.error())?;
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl fmt::Debug for FileStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStorage").field("path", &self.path()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for FileStorage {
    fn descriptor(&self) -> &Descriptor {
        &self.shared.descriptor
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        self.shared.check_open()?;
        check_keys(keys, self.descriptor().limits())?;
        let view = self.shared.current().await?;
        Ok(view.contents.state.read(keys, self.shared.options.clock.now()))
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        let records = async move {
            match self.shared.current().await {
                Ok(view) => {
                    let clock = Arc::clone(&self.shared.options.clock);
                    Arc::clone(&view.contents.state).list(&query, clock).boxed()
                }
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(records).flatten().boxed()
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        commit::commit(&self.shared, batch).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        follow::watch(&self.shared).await
    }

    async fn health(&self) -> Result<Health> {
        health::health(&self.shared).await
    }

    async fn close(&self) -> Result<()> {
        self.shared.close();
        Ok(())
    }
}
