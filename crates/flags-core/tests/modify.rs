//! `modify_flag` under contention, and where it ends.

use std::sync::Arc;
use std::time::Duration;

use flags_core::storage::{Batch, Expect};
use flags_core::{Error, ErrorKind, Flag, FlagId, FlagKey, FlagStore, Json};
use flags_memory::MemoryStorage;

fn store() -> FlagStore {
    FlagStore::new(Arc::new(MemoryStorage::new()))
}

fn key() -> FlagKey {
    FlagKey::new("counter").expect("a key")
}

fn count(flag: &Flag) -> u64 {
    flag.metadata.to().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_incrementing_one_flag_lose_nothing_and_none_fails() {
    const TASKS: u64 = 64;
    const TIMES: u64 = 100;
    let store = store();
    let mut flag = Flag::new(key());
    flag.metadata = Json::from(0);
    store.create_flag(flag).await.expect("created");
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..TIMES {
                    store
                        .modify_flag(&key(), |flag| {
                            flag.metadata = Json::from(i64::try_from(count(flag) + 1).expect("small"));
                            Ok(())
                        })
                        .await
                        .expect("a conflict is not an answer");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
    let flag = store.get_flag(&key()).await.expect("read").expect("there");
    assert_eq!(count(&flag), TASKS * TIMES);
}

#[tokio::test]
async fn an_edit_that_changes_nothing_writes_nothing() {
    let store = store();
    let created = store.create_flag(Flag::new(key())).await.expect("created");
    let kept = store.modify_flag(&key(), |_| Ok(())).await.expect("kept");
    assert_eq!(kept, created);
}

#[tokio::test]
async fn the_caller_s_own_error_comes_back_and_nothing_is_written() {
    #[derive(Debug)]
    enum Mine {
        Refused,
        #[expect(dead_code, reason = "read by the derived Debug")]
        Store(Error),
    }
    impl From<Error> for Mine {
        fn from(error: Error) -> Self {
            Self::Store(error)
        }
    }
    let store = store();
    let created = store.create_flag(Flag::new(key())).await.expect("created");
    let refused = store
        .try_modify_flag(&key(), |flag| {
            flag.default_enabled = true;
            Err(Mine::Refused)
        })
        .await;
    assert!(matches!(refused, Err(Mine::Refused)), "{refused:?}");
    assert_eq!(store.get_flag(&key()).await.expect("read"), Some(created));
}

#[tokio::test]
async fn a_missing_flag_a_changed_key_and_a_changed_id_are_errors_at_once() {
    let store = store().with_modify_deadline(Duration::from_secs(3600));
    let absent = store.modify_flag(&key(), |_| Ok(())).await.expect_err("there is none");
    assert_eq!((absent.kind(), absent.operation()), (ErrorKind::NotFound, Some("modify_flag")));
    store.create_flag(Flag::new(key())).await.expect("created");
    let renamed = store
        .modify_flag(&key(), |flag| {
            flag.key = FlagKey::new("other")?;
            Ok(())
        })
        .await;
    assert_eq!(renamed.expect_err("the key is fixed").kind(), ErrorKind::Invalid);
    let rebound = store
        .modify_flag(&key(), |flag| {
            flag.id = FlagId::new();
            Ok(())
        })
        .await;
    assert_eq!(rebound.expect_err("the id is fixed").kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn past_the_deadline_a_conflict_is_the_answer() {
    let store = store().with_modify_deadline(Duration::ZERO);
    store.create_flag(Flag::new(key())).await.expect("created");
    let rival = store.clone();
    // Each time the edit runs, a rival has just been faster.
    let outcome = store
        .modify_flag(&key(), |flag| {
            flag.default_enabled = true;
            let mut theirs = flag.clone();
            theirs.tags.push("theirs".into());
            futures_util::FutureExt::now_or_never(rival.update_flag(theirs, None))
                .expect("memory never waits")?;
            Ok(())
        })
        .await;
    assert_eq!(outcome.expect_err("always late").kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_conflict_about_the_id_is_an_answer_at_once() {
    let storage = MemoryStorage::new();
    let store = FlagStore::new(Arc::new(storage.clone())).with_modify_deadline(Duration::from_secs(3600));
    // Two flags of one id, as only a writer that keeps no contract leaves them.
    let first = Flag::new(key());
    let mut second = Flag::new(FlagKey::new("second").expect("a key"));
    second.id = first.id;
    store.create_flag(first).await.expect("created");
    let record = flags_core::Record::from(second.clone());
    storage.insert_raw(&record.key(), &record.encode().expect("it encodes")).expect("planted");
    let outcome = store
        .modify_flag(&second.key, |flag| {
            flag.default_enabled = true;
            Ok(())
        })
        .await;
    let error = outcome.expect_err("the id is taken");
    assert!(error.kind() == ErrorKind::Conflict && !error.is_stale(), "{error}");
}

#[tokio::test]
async fn upsert_creates_replaces_and_takes_over_what_a_new_flag_cannot_know() {
    let store = store();
    let mut flag = Flag::new(key());
    let created = store.upsert_flag(flag.clone()).await.expect("created");
    assert_eq!(created.id, flag.id);

    // The same again, by somebody who knows the key alone.
    let mut stored = (*created).clone();
    stored.extra.insert("novel", Json::from(1));
    let stored = store.update_flag(stored, None).await.expect("updated");
    let unchanged = store.upsert_flag(Flag::new(key())).await.expect("kept");
    assert_eq!(unchanged, stored, "what does not differ is not written");

    flag = Flag::new(key());
    flag.default_enabled = true;
    let replaced = store.upsert_flag(flag).await.expect("replaced");
    assert!(replaced.default_enabled);
    assert_eq!((replaced.id, replaced.created_at), (stored.id, stored.created_at));
    assert_eq!(replaced.extra.get("novel"), Some(&Json::from(1)));

    // A flag that was read is written as it is.
    let mut read = (*replaced).clone();
    read.extra.remove("novel");
    assert!(store.upsert_flag(read).await.expect("replaced").extra.is_empty());
}

#[tokio::test]
async fn deleting_a_flag_that_owns_too_much_does_not_stop_at_a_corrupt_record_nor_spin() {
    let mut limits = flags_core::storage::Limits::default();
    (limits.batch_ops, limits.owned_per_delete) = (2, 3);
    let storage = MemoryStorage::with_clock_and_limits(Arc::new(flags_core::SystemClock), limits);
    let store = FlagStore::new(Arc::new(storage.clone()));
    let flag = Flag::new(key());
    store.create_flag(flag.clone()).await.expect("created");
    let user = flags_core::EntityType::new("user").expect("a type");
    for n in 0..7 {
        let id = flags_core::EntityId::new(n.to_string()).expect("an id");
        store
            .create_override(flags_core::Override::new(flag.id, user.clone(), id, true))
            .await
            .expect("created");
    }
    assert!(store.delete_flag(&flag.key, None).await.expect("deleted"));
    assert!(store.export().await.expect("read").document.is_empty());
    assert!(!store.delete_flag(&flag.key, None).await.expect("nothing to delete"));
    let batch = Batch::new().put(flag, Expect::Absent);
    flags_core::Storage::commit(&storage, batch).await.expect("the key is free");
}
