//! What other writers, late changes of permissions and unlucky moments may not lead to.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{Flag, Kind, Record, Storage as _};

use crate::common::{Fixture, change, flag, listed, put, user};

/// A flag as another writer leaves it: in its index, and in none of ours.
async fn write_flag(f: &Fixture, flag: &Flag) -> Result<()> {
    let json = String::from_utf8(Record::from(flag.clone()).encode()?)?;
    let _: () = f.raw(&["SET", &format!("P flag:{}", flag.key), &json]).await?;
    let _: () = f.raw(&["SADD", "P flags", flag.key.as_str()]).await?;
    Ok(())
}

#[tokio::test]
async fn deleting_a_copy_of_a_flag_leaves_what_the_flag_owns() -> Result<()> {
    let f = Fixture::new().await?;
    let (live, mut copy) = (flag("live"), flag("copy"));
    copy.id = live.id;
    put(&f.store, live.clone()).await?;
    put(&f.store, user(live.id, "x")).await?;
    put(&f.store, change(live.id)).await?;
    for store in [&f.store, &f.another().await?, &f.indexed().await?] {
        write_flag(&f, &copy).await?;
        store.commit(Batch::new().delete(Record::from(copy.clone()).key(), Expect::Present)).await?;
        for kind in [Kind::Override, Kind::ScheduledChange] {
            assert_eq!(listed(store, Query::Owned(kind, live.id)).await?.len(), 1, "{kind}");
        }
        assert_eq!(f.raw::<String>(&["HGET", "P ids", &live.id.to_string()]).await?, "live");
    }
    // The owner takes it along, also together with the copy.
    write_flag(&f, &copy).await?;
    let both = Batch::new()
        .delete(Record::from(copy).key(), Expect::Present)
        .delete(Record::from(live).key(), Expect::Present);
    f.store.commit(both).await?;
    assert_eq!(f.keys().await?, ["meta"]);
    Ok(())
}

#[tokio::test]
async fn a_stale_hint_does_not_keep_what_a_flag_owns() -> Result<()> {
    let f = Fixture::new().await?;
    for (holder, body) in [("gone", None), ("other", Some(flag("other")))] {
        let owner = flag("owner");
        put(&f.store, owner.clone()).await?;
        put(&f.store, user(owner.id, "x")).await?;
        if let Some(other) = body {
            write_flag(&f, &other).await?;
        }
        let _: () = f.raw(&["HSET", "P ids", &owner.id.to_string(), holder]).await?;
        f.store.commit(Batch::new().delete(Record::from(owner.clone()).key(), Expect::Present)).await?;
        assert!(listed(&f.store, Query::Owned(Kind::Override, owner.id)).await?.is_empty(), "{holder}");
    }
    Ok(())
}

#[tokio::test]
async fn a_hint_that_is_no_text_is_none() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("owner");
    let broken = async || -> Result<()> {
        let mut hset = redis::cmd("HSET");
        hset.arg(format!("{}ids", f.prefix)).arg(owner.id.to_string()).arg(&b"\xff\xfe"[..]);
        Ok(hset.query_async(&mut f.raw.clone()).await?)
    };
    broken().await?;
    put(&f.store, owner.clone()).await?;
    broken().await?;
    put(&f.another().await?, user(owner.id, "x")).await?;
    broken().await?;
    f.store.commit(Batch::new().delete(Record::from(owner.clone()).key(), Expect::Present)).await?;
    assert!(listed(&f.store, Query::Owned(Kind::Override, owner.id)).await?.is_empty());
    Ok(())
}
