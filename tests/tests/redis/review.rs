//! What other writers, late changes of permissions and unlucky moments may not lead to.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, Flag, Kind, Record, Storage as _};

use flags_redis::RedisStorage;
use flags_tests::server::Server;

use crate::common::{Fixture, change, flag, get, listed, put, raw, user};

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

/// A store whose user is allowed everything, until `then` is applied to it.
async fn demoted(server: &Server, then: &[&str]) -> Result<RedisStorage> {
    let mut raw = raw(&server.url()).await?;
    let allow = async |rules: &[&str]| -> Result<()> {
        let mut raw = raw.clone();
        Ok(redis::cmd("ACL").arg("SETUSER").arg("app").arg(rules).query_async(&mut raw).await?)
    };
    allow(&["reset", "on", ">s3cret", "~*", "&*", "+@all"]).await?;
    let builder = RedisStorage::builder(&server.url())?.credentials(Some("app"), "s3cret").prefix("ff:");
    let store = builder.open().await?;
    allow(then).await?;
    let _: () = redis::cmd("PING").query_async(&mut raw).await?;
    Ok(store)
}

async fn can_ask_for_permissions(server: &Server) -> Result<bool> {
    let script = "return redis.acl_check_cmd and 1 or 0";
    let mut raw = raw(&server.url()).await?;
    Ok(redis::cmd("EVAL").arg(script).arg(0).query_async::<i64>(&mut raw).await? == 1)
}

#[tokio::test]
async fn a_permission_that_is_lost_later_never_leaves_half_a_commit_unsaid() -> Result<()> {
    let server = Server::start(&[])?;
    let asks = can_ask_for_permissions(&server).await?;
    let owner = flag("owner");
    for command in ["sadd", "hset", "zadd", "zremrangebyscore", "set"] {
        let store = demoted(&server, &[&format!("-{command}")]).await?;
        let batch = Batch::new().put(owner.clone(), Expect::Any).put(user(owner.id, "x"), Expect::Any);
        let error = store.commit(batch).await.unwrap_err();
        // The first write of all is refused before anything is written.
        let expected = if asks || command == "set" { ErrorKind::Denied } else { ErrorKind::Indeterminate };
        assert_eq!(error.kind(), expected, "{command}: {error:?}");
        if asks {
            assert!(error.to_string().to_lowercase().contains(command), "{command}: {error}");
        }
        if expected == ErrorKind::Denied {
            let mut raw = raw(&server.url()).await?;
            let keys: Vec<String> = redis::cmd("KEYS").arg("ff:*").query_async(&mut raw).await?;
            assert_eq!(keys, ["ff:meta"], "{command}");
        }
        let mut raw = raw(&server.url()).await?;
        let _: () = redis::cmd("FLUSHALL").query_async(&mut raw).await?;
    }
    for command in ["del", "srem", "zrem", "hdel"] {
        let store = demoted(&server, &["+@all"]).await?;
        put(&store, owner.clone()).await?;
        put(&store, user(owner.id, "x")).await?;
        let store = demoted(&server, &[&format!("-{command}")]).await?;
        let key = Record::from(owner.clone()).key();
        let error = store.commit(Batch::new().delete(key.clone(), Expect::Any)).await.unwrap_err();
        let expected = if asks || command == "del" { ErrorKind::Denied } else { ErrorKind::Indeterminate };
        assert_eq!(error.kind(), expected, "{command}: {error:?}");
        if expected == ErrorKind::Denied {
            assert!(get(&store, &key).await?.is_some(), "{command}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_first_write_that_is_refused_has_changed_nothing() -> Result<()> {
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    let store = RedisStorage::builder(&server.url())?.prefix("ff:").open().await?;
    let _: () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").query_async(&mut raw).await?;
    let error = put(&store, flag("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("memory"), "{error}");
    Ok(())
}
