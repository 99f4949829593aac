//! Expiry to the millisecond (C8).

use std::time::Duration;

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, Kind, Record, Storage as _, Timestamp};

use crate::common::{Fixture, flag, get, list, put, user};

/// How long what is to expire lives: a busy machine may miss the shorter ones.
const LIVES: [Duration; 3] = [Duration::from_millis(150), Duration::from_secs(1), Duration::from_secs(6)];

async fn server_now(f: &Fixture) -> Result<Timestamp> {
    let (seconds, micros): (i64, i64) = f.raw(&["TIME"]).await?;
    Ok(Timestamp::from_unix_micros(seconds * 1_000_000 + micros).expect("a time in range"))
}

#[tokio::test]
async fn the_key_lives_to_the_millisecond_before() -> Result<()> {
    let f = Fixture::new().await?;
    if f.raw::<i64>(&["PEXPIRETIME", "P none"]).await.is_err() {
        println!("skipped: PEXPIRETIME came with Redis 7");
        return Ok(());
    }
    let owner = flag("a");
    put(&f.store, owner.clone()).await?;
    for (micros, last) in [(0, 1_899_999_999_999_i64), (1, 1_900_000_000_000), (999, 1_900_000_000_000)] {
        let mut over = user(owner.id, "x");
        over.expires_at = Timestamp::from_unix_micros(1_900_000_000_000_000 + micros);
        put(&f.store, over).await?;
        let key = format!("P override:{}:user:x", owner.id);
        assert_eq!(f.raw::<i64>(&["PEXPIRETIME", &key]).await?, last);
    }
    // Without an expiry the time to live goes away again.
    put(&f.store, user(owner.id, "x")).await?;
    assert_eq!(f.raw::<i64>(&["PTTL", &format!("P override:{}:user:x", owner.id)]).await?, -1);
    Ok(())
}

#[tokio::test]
async fn it_is_there_until_it_is_due_and_never_after() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("a");
    put(&f.store, owner.clone()).await?;
    let (mut before, mut after) = (0, 0);
    for life in LIVES {
        (before, after) = (0, 0);
        let mut over = user(owner.id, "x");
        let due = server_now(&f).await?.saturating_add(life);
        over.expires_at = Some(due);
        let key = Record::from(over.clone()).key();
        put(&f.store, over).await?;
        while after < 20 {
            let asked = server_now(&f).await?;
            let found = get(&f.store, &key).await?.is_some();
            let answered = server_now(&f).await?;
            if answered < due {
                assert!(found, "gone at {answered}, due at {due}");
                before += 1;
            } else if asked >= due {
                assert!(!found, "there at {asked}, due at {due}");
                after += 1;
            }
        }
        if before > 0 {
            break;
        }
    }
    assert!(before > 0 && after > 0);
    // No obstacle, and trimmed from the indexes by the next write.
    put(&f.store, user(owner.id, "y")).await?;
    assert_eq!(f.raw::<i64>(&["ZCARD", "P overrides"]).await?, 1);
    f.store.commit(Batch::new().put(user(owner.id, "x"), Expect::Absent)).await?;
    Ok(())
}

#[tokio::test]
async fn one_that_has_expired_already_is_a_delete() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("a");
    put(&f.store, owner.clone()).await?;
    let mut over = user(owner.id, "x");
    let first = put(&f.store, over.clone()).await?;
    over.expires_at = Some(server_now(&f).await?);
    let effect = put(&f.store, over.clone()).await?;
    assert_eq!((effect.before, effect.after), (first.after, None));
    assert!(get(&f.store, &Record::from(over).key()).await?.is_none());
    assert!(!f.keys().await?.iter().any(|key| key.starts_with("override")));
    Ok(())
}

#[tokio::test]
async fn what_has_expired_leaves_the_indexes_with_what_is_deleted() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("a");
    let (other, mut over) = (user(owner.id, "y"), user(owner.id, "x"));
    for delete in [Record::from(other.clone()).key(), Record::from(owner.clone()).key()] {
        put(&f.store, owner.clone()).await?;
        put(&f.store, other.clone()).await?;
        let due = server_now(&f).await?.saturating_add(Duration::from_millis(50));
        over.expires_at = Some(due);
        put(&f.store, over.clone()).await?;
        // The indexes count in whole milliseconds.
        while server_now(&f).await? < due.saturating_add(Duration::from_millis(2)) {}
        f.store.commit(Batch::new().delete(delete, Expect::Present)).await?;
        assert!(!f.keys().await?.iter().any(|key| key.starts_with("override")), "{:?}", f.keys().await?);
    }
    Ok(())
}

#[tokio::test]
async fn what_the_origin_left_without_a_time_to_live_expires_too() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("a");
    put(&f.store, owner.clone()).await?;
    let absent = || Batch::new().put(user(owner.id, "x"), Expect::Absent);
    let mut lives = LIVES.into_iter();
    let record = loop {
        let mut over = user(owner.id, "x");
        let due =
            server_now(&f).await?.saturating_add(lives.next().expect("a life of seconds is long enough"));
        over.expires_at = Some(due);
        let record = Record::from(over);
        let json = String::from_utf8(record.encode()?)?;
        let _: () = f.raw(&["SET", &format!("P override:{}:user:x", owner.id), &json]).await?;

        let found = get(&f.store, &record.key()).await?;
        let taken = f.store.commit(absent()).await;
        if server_now(&f).await? < due {
            assert!(found.is_some());
            assert_eq!(taken.unwrap_err().kind(), ErrorKind::AlreadyExists);
            while server_now(&f).await? < due.saturating_add(Duration::from_millis(2)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            break record;
        }
    };
    assert!(get(&f.store, &record.key()).await?.is_none());
    assert!(list(&f.store, Query::All(Kind::Override)).await.is_empty());
    let present = Batch::new().check(record.key(), Expect::Present);
    assert_eq!(f.store.commit(present).await.unwrap_err().kind(), ErrorKind::NotFound);
    let effects = f.store.commit(absent()).await?;
    assert_eq!(effects[0].before, None);
    assert!(
        matches!(get(&f.store, &record.key()).await?, Some(stored) if stored.record.key() == record.key())
    );
    Ok(())
}
