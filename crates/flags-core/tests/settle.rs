//! What the typed API makes of a commit that was not answered.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flags_core::storage::{Batch, BoxStream, Change, Descriptor, Effect, Health, Query, Stored};
use flags_core::{Error, ErrorKind, Flag, FlagKey, FlagStore, Key, Result, Storage};
use flags_memory::MemoryStorage;

/// What becomes of the first commit, which is never answered.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Applied,
    Lost,
    /// Applied once the next commit was.
    Late,
    /// Applied, and then another writer came.
    Overwritten,
    /// Lost, and then another writer came.
    Overtaken,
    /// Lost, like every call after it.
    Down,
    /// Applied, and not as safely as it was asked for.
    Unconfirmed,
}

/// A store whose first commit meets a fate.
#[derive(Debug)]
struct Unanswered {
    inner: MemoryStorage,
    fate: Fate,
    commits: AtomicUsize,
    late: Mutex<Option<Batch>>,
}

fn unanswered(fate: Fate) -> Error {
    let error = Error::new(ErrorKind::Indeterminate, "the reply was lost");
    if fate == Fate::Unconfirmed { error.as_unconfirmed() } else { error }
}

impl Unanswered {
    async fn another_writer(&self) {
        let other = FlagStore::new(Arc::new(self.inner.clone()));
        let mut flag = Flag::new(key());
        if let Some(found) = other.get_flag(&key()).await.expect("read") {
            flag = (*found).clone();
        }
        flag.tags.push("theirs".into());
        other.upsert_flag(flag).await.expect("written");
    }

    fn is_down(&self) -> bool {
        self.fate == Fate::Down && self.commits.load(Ordering::SeqCst) > 0
    }
}

#[async_trait]
impl Storage for Unanswered {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        if self.is_down() {
            return Err(Error::new(ErrorKind::Unavailable, "down"));
        }
        self.inner.get(keys).await
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        self.inner.list(query)
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        if self.commits.fetch_add(1, Ordering::SeqCst) > 0 {
            let outcome = self.inner.commit(batch).await;
            let late = self.late.lock().expect("unpoisoned").take();
            if let Some(late) = late {
                self.inner.commit(late).await.expect_err("the condition is broken by now");
            }
            return outcome;
        }
        match self.fate {
            Fate::Applied | Fate::Unconfirmed => drop(self.inner.commit(batch).await?),
            Fate::Lost | Fate::Down => {}
            Fate::Late => *self.late.lock().expect("unpoisoned") = Some(batch),
            Fate::Overwritten => {
                self.inner.commit(batch).await?;
                self.another_writer().await;
            }
            Fate::Overtaken => self.another_writer().await,
        }
        Err(unanswered(self.fate))
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

fn key() -> FlagKey {
    FlagKey::new("settled").expect("a key")
}

/// A typed store whose next commit meets that fate, and the store underneath.
fn meeting(fate: Fate, inner: &MemoryStorage) -> FlagStore {
    FlagStore::new(Arc::new(Unanswered {
        inner: inner.clone(),
        fate,
        commits: AtomicUsize::new(0),
        late: Mutex::new(None),
    }))
}

async fn stored(inner: &MemoryStorage) -> Option<flags_core::Versioned<Flag>> {
    FlagStore::new(Arc::new(inner.clone())).get_flag(&key()).await.expect("read")
}

#[tokio::test]
async fn what_was_applied_lost_or_late_is_settled() {
    for fate in [Fate::Applied, Fate::Lost, Fate::Late] {
        let inner = MemoryStorage::new();
        let created = meeting(fate, &inner).create_flag(Flag::new(key())).await;
        let created = created.unwrap_or_else(|error| panic!("{fate:?}: {error:?}"));
        assert_eq!(stored(&inner).await.as_ref(), Some(&created), "{fate:?}");

        let mut edits = 0;
        let modified = meeting(fate, &inner)
            .modify_flag(&key(), |flag| {
                edits += 1;
                flag.tags.push("mine".into());
                Ok(())
            })
            .await;
        let modified = modified.unwrap_or_else(|error| panic!("{fate:?}: {error:?}"));
        assert_eq!((edits, &modified.tags), (1, &vec!["mine".to_owned()]), "{fate:?}");
        assert_eq!(stored(&inner).await, Some(modified), "{fate:?}");
    }
}

#[tokio::test]
async fn what_another_writer_hides_stays_indeterminate() {
    for fate in [Fate::Overwritten, Fate::Overtaken] {
        let inner = MemoryStorage::new();
        let error = meeting(fate, &inner).create_flag(Flag::new(key())).await.expect_err("hidden");
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{fate:?}");
        assert_eq!(error.operation(), Some("create_flag"));
        let before = stored(&inner).await.expect("theirs");
        assert_eq!(before.tags, ["theirs"]);

        let edit = |flag: &mut Flag| {
            flag.default_enabled = true;
            Ok(())
        };
        let error = meeting(fate, &inner).modify_flag(&key(), edit).await.expect_err("hidden");
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{fate:?}");
        let after = stored(&inner).await.expect("theirs");
        assert_eq!(after.tags.len(), 2, "the other writer's edit stands: {fate:?}");
    }
}

#[tokio::test]
async fn a_store_that_stays_away_leaves_it_open() {
    let inner = MemoryStorage::new();
    let store = meeting(Fate::Down, &inner);
    let error = store.create_flag(Flag::new(key())).await.expect_err("nobody answers");
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert!(stored(&inner).await.is_none());
}

#[tokio::test]
async fn what_was_to_be_confirmed_is_not_settled_by_being_applied() {
    let inner = MemoryStorage::new();
    let error =
        meeting(Fate::Unconfirmed, &inner).create_flag(Flag::new(key())).await.expect_err("unconfirmed");
    assert!(error.kind() == ErrorKind::Indeterminate && error.is_unconfirmed(), "{error:?}");
    assert!(stored(&inner).await.is_some());
}

#[tokio::test]
async fn an_unconditional_write_is_not_repeated() {
    let inner = MemoryStorage::new();
    FlagStore::new(Arc::new(inner.clone())).create_flag(Flag::new(key())).await.expect("created");
    let store = meeting(Fate::Lost, &inner);
    let before = stored(&inner).await.expect("there");
    let mut edit = (*before).clone();
    edit.default_enabled = true;
    let error = store.update_flag(edit, None).await.expect_err("unanswered");
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert_eq!(stored(&inner).await, Some(before), "it was sent once");
}
