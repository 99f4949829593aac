//! What other writers, late changes of permissions and unlucky moments may not lead to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, Flag, Kind, Record, Segment, SegmentName, Storage as _, Timestamp};

use flags_redis::RedisStorage;
use flags_tests::server::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Fixture, change, driver, flag, get, list, listed, put, raw, user};

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
    let builder = RedisStorage::builder(&server.url())?.driver(driver()).credentials(Some("app"), "s3cret").prefix("ff:");
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
    let store = RedisStorage::builder(&server.url())?.driver(driver()).prefix("ff:").open().await?;
    let _: () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1").query_async(&mut raw).await?;
    let error = put(&store, flag("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("memory"), "{error}");
    Ok(())
}

/// A store behind a proxy; before anything is passed on to the server, the flag `a` becomes what `meddle`
/// says.
async fn meddled(
    server: &Server,
    meddle: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> Result<RedisStorage> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("redis://{}", listener.local_addr()?);
    let (port, mut raw) = (server.port(), raw(&server.url()).await?);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await?;
            let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
            let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
            loop {
                tokio::select! {
                    read = client.read(&mut up) => {
                        let sent = &up[..read?];
                        if sent.is_empty() { break }
                        if let Some(value) = meddle(sent) {
                            let _: () = redis::cmd("SET").arg("ff:flag:a").arg(value).query_async(&mut raw).await?;
                        }
                        server.write_all(sent).await?;
                    }
                    read = server.read(&mut down) => {
                        let length = read?;
                        if length == 0 { break }
                        client.write_all(&down[..length]).await?;
                    }
                }
            }
        }
        #[allow(unreachable_code)]
        anyhow::Ok(())
    });
    let builder = RedisStorage::builder(&url)?.driver(driver()).prefix("ff:").deadline(Duration::from_secs(10));
    Ok(builder.open().await?)
}

fn has(sent: &[u8], word: &[u8]) -> bool {
    sent.windows(word.len()).any(|window| window == word)
}

#[tokio::test]
async fn an_owner_that_scripts_cannot_read_is_corrupt() -> Result<()> {
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    let owner = flag("a");
    let _: () = redis::cmd("SADD").arg("ff:flags").arg("a").query_async(&mut raw).await?;
    let json = Record::from(owner.clone()).encode()?;
    // What a listing reads is whole, and what a script reads is not.
    let store = meddled(&server, move |sent| match () {
        () if has(sent, b"SORT") => Some(json.clone()),
        () if has(sent, b"EVALSHA") => Some(b"{".to_vec()),
        () => None,
    });
    let error = put(&store.await?, user(owner.id, "x")).await.unwrap_err();
    let key = Record::from(owner).key();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&key)), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_flag_that_is_corrupted_while_it_is_deleted_is_deleted() -> Result<()> {
    let server = Server::start(&[])?;
    let scripts = AtomicUsize::new(0);
    let store = meddled(&server, move |sent| {
        // The first is of the opening, then come the put and the delete, which asks what the flag owns.
        let late = has(sent, b"EVALSHA") && scripts.fetch_add(1, Ordering::SeqCst) == 3;
        late.then(|| b"{".to_vec())
    });
    let (store, owner) = (store.await?, flag("a"));
    put(&store, owner.clone()).await?;
    let key = Record::from(owner).key();
    store.commit(Batch::new().delete(key.clone(), Expect::Present)).await?;
    assert!(get(&store, &key).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_time_to_live_by_another_clock_does_not_keep_what_has_expired() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("a");
    put(&f.store, owner.clone()).await?;
    let past = Timestamp::from_unix_micros(1_600_000_000_000_000).expect("a time").to_string();
    for spelling in [past.as_str(), "2020-09-13 12:26:40", "2020-09-13T14:26:40.5+02:00", "2020-09-13"] {
        let mut over = user(owner.id, "x");
        over.expires_at = Some(past.parse()?);
        let json = String::from_utf8(Record::from(over.clone()).encode()?)?.replace(&past, spelling);
        assert!(json.contains(spelling));
        let key = Record::from(over).key();
        let redis_key = format!("P override:{}:user:x", owner.id);
        let _: () = f.raw(&["SET", &redis_key, &json, "EX", "100"]).await?;
        assert!(get(&f.store, &key).await?.is_none(), "{spelling}");
        let present = Batch::new().check(key.clone(), Expect::Present);
        assert_eq!(f.store.commit(present).await.unwrap_err().kind(), ErrorKind::NotFound, "{spelling}");
        f.store.commit(Batch::new().put(user(owner.id, "x"), Expect::Absent)).await?;
        f.store.commit(Batch::new().delete(key, Expect::Present)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_has_expired_unseen_is_no_obstacle_to_deleting_its_flag() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("a");
    put(&f.store, owner.clone()).await?;
    let mut pipe = redis::pipe();
    for n in 0..10_050 {
        let mut over = user(owner.id, &n.to_string());
        over.expires_at = Timestamp::from_unix_micros(1_600_000_000_000_000);
        let key = format!("{}override:{}:user:{n}", f.prefix, owner.id);
        pipe.cmd("SET").arg(key).arg(Record::from(over).encode()?).ignore();
    }
    let _: () = pipe.query_async(&mut f.raw.clone()).await?;
    put(&f.store, user(owner.id, "alive")).await?;
    let builder = RedisStorage::builder(&f.server.url())?.driver(driver()).prefix(&f.prefix);
    let patient = builder.deadline(Duration::from_secs(60)).command_timeout(Duration::from_secs(20));
    let delete = Batch::new().delete(Record::from(owner).key(), Expect::Present);
    patient.open().await?.commit(delete).await?;
    assert_eq!(f.keys().await?, ["meta"]);
    Ok(())
}

#[tokio::test]
async fn what_was_deleted_meanwhile_is_not_adopted() -> Result<()> {
    let f = Fixture::new().await?;
    let (gone, reader) = (flag("gone"), f.another().await?);
    put(&f.store, gone.clone()).await?;
    let key = Record::from(gone).key();
    assert!(get(&reader, &key).await?.is_some());
    f.store.commit(Batch::new().delete(key, Expect::Present)).await?;
    put(&reader, Segment::new(SegmentName::new("any")?)).await?;
    assert_eq!(f.raw::<i64>(&["EXISTS", "P ids"]).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_no_key_is_corrupt_however_it_is_read() -> Result<()> {
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    let sorting = RedisStorage::builder(&server.url())?.driver(driver()).prefix("ff:").open().await?;
    let paging = demoted(&server, &["-sort"]).await?;
    put(&sorting, flag("good")).await?;
    let long = "\n\u{fc}".repeat(200);
    let _: () = redis::cmd("SET").arg(format!("ff:flag:{long}")).arg("{}").query_async(&mut raw).await?;
    for member in [long.as_bytes(), b"\xff", b""] {
        let _: () = redis::cmd("SADD").arg("ff:flags").arg(member).query_async(&mut raw).await?;
    }
    for store in [&sorting, &paging] {
        let items = list(store, Query::All(Kind::Flag)).await;
        assert_eq!(items.len(), 2, "{items:?}");
        let error = items.into_iter().find_map(Result::err).expect("an error");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let shown = error.to_string();
        assert!(shown.contains("\\n\u{fc}") && shown.len() < 400, "{shown}");
    }
    Ok(())
}
