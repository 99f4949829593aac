//! ACL users: refused when the store is opened, by the command's name, or served with less.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Query};
use flags_core::{Alias, ErrorKind, Kind, Record, Segment, SegmentName, Storage as _};
use flags_redis::RedisStorage;
use flags_tests::server::Server;

use crate::common::{change, flag, list, listed, patient, phase, put, raw, user};

/// The rules of the user that the documentation shows, under the prefix of these tests.
fn documented() -> Vec<String> {
    let docs = include_str!("../../../crates/flags-redis/src/lib.rs");
    let (_, line) = docs.split_once("ACL SETUSER app on >password ").expect("a line in the documentation");
    let rules = line.lines().next().expect("a line").replace("feature_flags:", "ff:");
    rules.split(' ').map(str::to_owned).collect()
}

async fn open_as(server: &Server, rules: &[&str]) -> Result<flags_core::Result<RedisStorage>> {
    let mut raw = raw(&server.url()).await?;
    let _: () = redis::cmd("ACL")
        .arg("SETUSER")
        .arg("app")
        .arg("reset")
        .arg("on")
        .arg(">s3cret")
        .arg(rules)
        .query_async(&mut raw)
        .await?;
    let builder = patient(&server.url())?.credentials(Some("app"), "s3cret").prefix("ff:");
    Ok(builder.open().await)
}

#[tokio::test]
async fn a_missing_permission_is_named_at_opening() -> Result<()> {
    let server = Server::start(&[])?;
    // Every command of the documented user is needed.
    let documented = documented();
    let commands: Vec<&str> = documented.iter().filter_map(|rule| rule.strip_prefix('+')).collect();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        let refused = open_as(&server, &["~*", "+@all", &format!("-{command}")]).await?.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Denied, "{command}: {refused:?}");
        assert!(refused.to_string().to_lowercase().contains(command), "{command}: {refused}");
        assert!(!format!("{refused:?}").contains("s3cret"));
    }
    // What a missing DEL left behind goes by itself.
    let mut raw = raw(&server.url()).await?;
    let left: Vec<String> = redis::cmd("KEYS").arg("ff:probe:*").query_async(&mut raw).await?;
    assert!(!left.is_empty());
    for key in left {
        let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut raw).await?;
        assert!(ttl <= 10_000 && ttl != -1, "{key} lives for {ttl}");
    }
    let refused = open_as(&server, &["~other:*", "+@all"]).await?.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused:?}");
    // A store that could not be opened was not initialised.
    let marked: bool = redis::cmd("EXISTS").arg("ff:meta").query_async(&mut raw).await?;
    assert!(!marked);
    Ok(())
}

#[tokio::test]
async fn a_probe_that_may_not_delete_leaves_nothing_for_ever() -> Result<()> {
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    for missing in
        [&["-del"][..], &["-del", "-srem"], &["-del", "-zrem", "-zremrangebyscore"], &["-del", "-hdel"]]
    {
        let rules: Vec<&str> = ["~*", "+@all"].iter().chain(missing).copied().collect();
        assert_eq!(open_as(&server, &rules).await?.unwrap_err().kind(), ErrorKind::Denied, "{missing:?}");
        let keys: Vec<String> = redis::cmd("KEYS").arg("ff:probe:*").query_async(&mut raw).await?;
        for key in keys {
            let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut raw).await?;
            assert!(left == -2 || (0..=10_000).contains(&left), "{missing:?}: {key} for {left} ms");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_documented_user_is_enough() -> Result<()> {
    let server = Server::start(&[])?;
    let documented = documented();
    let rules: Vec<&str> = documented.iter().map(String::as_str).collect();
    let store = open_as(&server, &rules).await??;
    let owner = flag("a");
    put(&store, owner.clone()).await?;
    put(&store, user(owner.id, "x")).await?;
    put(&store, change(owner.id)).await?;
    put(&store, phase(owner.id)).await?;
    put(&store, Segment::new(SegmentName::new("beta")?)).await?;
    put(&store, owner.clone()).await?;
    for kind in Kind::ALL {
        let expected = usize::from(kind != Kind::TimeSchedule);
        assert_eq!(listed(&store, Query::All(kind)).await?.len(), expected, "{kind}");
    }
    for alias in [Alias::FlagId(owner.id), Alias::SegmentName(SegmentName::new("beta")?)] {
        assert_eq!(listed(&store, Query::Alias(alias)).await?.len(), 1);
    }
    store.health().await?;
    let batch = Batch::new().delete(Record::from(user(owner.id, "x")).key(), Expect::Present);
    store.commit(batch).await?;
    store.commit(Batch::new().delete(Record::from(owner).key(), Expect::Present)).await?;
    assert!(listed(&store, Query::All(Kind::ScheduledChange)).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_user_of_one_prefix_is_enough() -> Result<()> {
    let server = Server::start(&[])?;
    let store = open_as(&server, &["~ff:*", "+@all", "-@dangerous"]).await??;
    let owner = flag("a");
    put(&store, owner.clone()).await?;
    put(&store, user(owner.id, "x")).await?;
    // SORT ... GET wants every key, so this goes by cursor.
    assert_eq!(listed(&store, Query::All(Kind::Flag)).await?.len(), 1);
    assert_eq!(listed(&store, Query::All(Kind::Override)).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_not_repeated() -> Result<()> {
    let server = Server::start(&["--requirepass", "right"])?;
    for url in [server.url(), server.url().replace("://", "://:wr0ng@")] {
        let error = patient(&url)?.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
        assert!(!format!("{error:?}").contains("wr0ng"));
    }
    let builder = patient(&server.url())?.credentials(None, "right");
    assert!(!format!("{builder:?}").contains("right"));
    let store = builder.open().await?;
    assert!(!format!("{store:?}").contains("right"));
    Ok(())
}

#[tokio::test]
async fn what_is_no_name_is_reported_alike_with_and_without_sort() -> Result<()> {
    let server = Server::start(&[])?;
    let mut raw = raw(&server.url()).await?;
    let long = format!("long\n{}", "ü".repeat(200));
    for name in [long.as_bytes(), b"\xff", b"good"] {
        let json = Record::from(flag("good")).encode()?;
        let _: () =
            redis::cmd("SET").arg([b"ff:flag:", name].concat()).arg(json).query_async(&mut raw).await?;
        let _: () = redis::cmd("SADD").arg("ff:flags").arg(name).query_async(&mut raw).await?;
    }
    // What is not there is not reported.
    let _: () = redis::cmd("SADD").arg("ff:flags").arg(b"\xfe").query_async(&mut raw).await?;
    for rules in [["~*", "+@all"], ["~ff:*", "+@all"]] {
        let store = open_as(&server, &rules).await??;
        let (good, bad): (Vec<_>, Vec<_>) =
            list(&store, Query::All(Kind::Flag)).await.into_iter().partition(flags_core::Result::is_ok);
        assert_eq!((good.len(), bad.len()), (1, 2), "{rules:?}");
        let bad: Vec<_> = bad.into_iter().filter_map(flags_core::Result::err).collect();
        assert!(bad.iter().all(|error| error.kind() == ErrorKind::Corrupt), "{bad:?}");
        let text = bad.iter().map(ToString::to_string).collect::<String>();
        assert!(text.contains("long\\nüü") && text.contains('\u{fffd}'), "{text}");
        assert!(bad.iter().all(|error| error.to_string().chars().count() < 250), "{text}");
    }
    Ok(())
}
