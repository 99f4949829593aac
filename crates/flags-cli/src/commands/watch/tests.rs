//! A store that does not answer at once, which no real one does on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use feature_flags::storage::{Batch, Descriptor, Effect, Expect, Health, Storage, StorageHandle};
use feature_flags::{Flag, FlagKey, FlagStore, Record, Result, connect};

use super::*;
use crate::output::Output;

/// A store whose next read fails: a listing after its first record.
#[derive(Debug)]
struct Failing {
    inner: StorageHandle,
    fails: AtomicBool,
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "not now")
}

#[async_trait]
impl Storage for Failing {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        if self.fails.swap(false, Ordering::SeqCst) { Err(unavailable()) } else { self.inner.get(keys).await }
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        let whole = self.inner.list(query);
        if self.fails.swap(false, Ordering::SeqCst) {
            let failure = futures_util::stream::iter([Err(unavailable())]);
            whole.take(1).chain(failure).boxed()
        } else {
            whole
        }
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        self.inner.commit(batch).await
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

#[tokio::test]
async fn a_read_that_fails_is_repeated_and_is_no_deletion() -> Result<()> {
    let inner = connect("memory:").await?;
    let keys = ["a", "b", "c"].map(|key| Key::Flag(FlagKey::new(key).expect("a key")));
    for key in &keys {
        let Key::Flag(key) = key else { continue };
        let flag = Record::from(Flag::new(key.clone()));
        inner.commit(Batch::new().put(flag, Expect::Absent)).await?;
    }
    let storage = Arc::new(Failing { inner, fails: AtomicBool::new(true) });
    let session = Session {
        store: FlagStore::new(Arc::clone(&storage) as StorageHandle),
        url: String::new(),
        out: Output::new(false, None),
        yes: false,
    };
    let mut following = Following {
        session: &session,
        known: None,
        others: HashMap::new(),
        complaints: Complaints::default(),
        live: None,
        left: Some(2),
    };
    following.turn(&Change::Resync).await.expect("it is repeated");
    assert_eq!(following.known.as_ref().map(BTreeMap::len), Some(3));

    // Nothing has changed, so nothing is told.
    storage.fails.store(true, Ordering::SeqCst);
    following.turn(&Change::Resync).await.expect("it is repeated");
    assert_eq!(following.left, Some(2));

    storage.fails.store(true, Ordering::SeqCst);
    following.changed(keys[..1].to_vec()).await.expect("it is repeated");
    assert_eq!(following.left, Some(1));

    // No more is told than was asked for.
    let [a, b, _] = keys;
    storage.inner.commit(Batch::new().delete(a, Expect::Any).delete(b, Expect::Any)).await?;
    following.turn(&Change::Resync).await.expect("it is read");
    assert_eq!((following.left, following.known.map(|known| known.len())), (Some(0), Some(1)));
    Ok(())
}
