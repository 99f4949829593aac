//! `modify_flag` under contention, and where it ends.

use std::sync::Arc;
use std::time::Duration;

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
                        .modify_flag::<Error, _>(&key(), |flag| {
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
    let kept = store.modify_flag::<Error, _>(&key(), |_| Ok(())).await.expect("kept");
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
        .modify_flag(&key(), |flag| {
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
    let absent = store.modify_flag::<Error, _>(&key(), |_| Ok(())).await.expect_err("there is none");
    assert_eq!((absent.kind(), absent.operation()), (ErrorKind::NotFound, Some("modify_flag")));
    store.create_flag(Flag::new(key())).await.expect("created");
    let renamed = store
        .modify_flag::<Error, _>(&key(), |flag| {
            flag.key = FlagKey::new("other")?;
            Ok(())
        })
        .await;
    assert_eq!(renamed.expect_err("the key is fixed").kind(), ErrorKind::Invalid);
    let rebound = store
        .modify_flag::<Error, _>(&key(), |flag| {
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
        .modify_flag::<Error, _>(&key(), |flag| {
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
