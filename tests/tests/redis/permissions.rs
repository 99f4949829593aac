//! ACL users: refused when the store is opened, by the command's name, or served with less.

use anyhow::Result;
use flags_core::storage::Query;
use flags_core::{ErrorKind, Kind};
use flags_redis::RedisStorage;
use flags_tests::server::{Server, patient};

use crate::common::{flag, listed, put, raw, user};

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
    for command in ["sadd", "set", "zremrangebyscore", "hset", "evalsha", "eval", "mget", "del", "time"] {
        let refused = open_as(&server, &["~*", "+@all", &format!("-{command}")]).await?.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Denied, "{command}: {refused:?}");
        assert!(refused.to_string().to_lowercase().contains(command), "{command}: {refused}");
        assert!(!format!("{refused:?}").contains("s3cret"));
    }
    let refused = open_as(&server, &["~other:*", "+@all"]).await?.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused:?}");
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
