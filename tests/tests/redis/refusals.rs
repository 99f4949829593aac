//! What a server refuses while a store is opened: each has a kind and a way on of its own.

use anyhow::{Context as _, Result, ensure};
use flags_core::storage::Query;
use flags_core::{ErrorKind, Kind, Storage as _};
use flags_tests::server::Server;
use flags_tests::wait::until;

use crate::common::{flag, listed, patient, put, raw};

#[tokio::test]
async fn a_command_that_is_renamed_is_named() -> Result<()> {
    for command in ["EVAL", "EVALSHA", "MGET", "SSCAN", "SCAN", "HSETNX", "TIME"] {
        let server = Server::start(&["--rename-command", command, ""])?;
        let error = patient(&server.url())?.open().await.err().context(command)?;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{command}: {error:?}");
        assert!(error.to_string().contains(command), "{command}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn commands_that_nothing_depends_on_may_be_renamed() -> Result<()> {
    // Without a password a connection begins with one of the first two.
    for greeting in ["PING", "HELLO"] {
        let mut args = vec!["--rename-command", greeting, ""];
        for command in ["CONFIG", "INFO", "CLIENT", "SORT", "PEXPIRE", "ROLE", "ACL", "SELECT"] {
            args.extend(["--rename-command", command, ""]);
        }
        let server = Server::start(&args)?;
        let store = patient(&server.url())?.open().await?;
        put(&store, flag("a")).await?;
        assert_eq!(listed(&store, Query::All(Kind::Flag)).await?.len(), 1);
        store.health().await?;
        assert_eq!(store.watch().await.err().context("a watch")?.kind(), ErrorKind::Unsupported);
    }
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_none_is_a_mistake_in_the_url() -> Result<()> {
    let server = Server::start(&["--databases", "4"])?;
    patient(&format!("{}/3", server.url()))?.open().await?;
    let error = patient(&format!("{}/4", server.url()))?.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    assert!(error.to_string().contains("database"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_full_is_waited_for_and_says_so() -> Result<()> {
    for password in [false, true] {
        let server = Server::start(if password { &["--requirepass", "pw"] } else { &[] })?;
        let builder = || {
            let builder = patient(&server.url())?;
            Ok::<_, flags_core::Error>(if password { builder.credentials(None, "pw") } else { builder })
        };
        let url = if password { server.url().replace("://", "://:pw@") } else { server.url() };
        let mut raw = raw(&url).await?;
        let _: () = redis::cmd("CONFIG").arg(&["SET", "maxclients", "1"]).query_async(&mut raw).await?;
        let limit = std::time::Duration::from_millis(500);
        // A call that ends in the middle of an attempt says that it had no time.
        until("what is wrong is said", async || {
            let error = builder()?.deadline(limit).open().await.err().context("it opened")?;
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            Ok(error.to_string().contains("maxclients"))
        })
        .await?;
        // There is room within the time of a call.
        let refused = refusals(&mut raw).await?;
        let room = async {
            until("it is refused", async || Ok(refusals(&mut raw.clone()).await? > refused)).await?;
            redis::cmd("CONFIG").arg(&["SET", "maxclients", "10"]).query_async::<()>(&mut raw.clone()).await?;
            Ok(())
        };
        let (opened, room) = tokio::join!(builder()?.open(), room);
        room.and(opened.map(drop).map_err(anyhow::Error::from))?;
    }
    Ok(())
}

/// How many connections the server has refused.
async fn refusals(raw: &mut redis::aio::MultiplexedConnection) -> Result<u64> {
    let info: String = redis::cmd("INFO").arg("stats").query_async(raw).await?;
    let line = info.lines().find_map(|line| line.strip_prefix("rejected_connections:"));
    Ok(line.context("no such line")?.parse()?)
}

#[tokio::test]
async fn a_replica_that_serves_nothing_without_its_primary_says_so() -> Result<()> {
    let server = Server::start(&["--replica-serve-stale-data", "no"])?;
    let nobody = flags_tests::server::unused_port()?.to_string();
    let mut raw = raw(&server.url()).await?;
    let _: () = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(nobody).query_async(&mut raw).await?;
    let error = patient(&server.url())?.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    ensure!(error.to_string().contains("lost its primary"), "{error}");
    let _: () = redis::cmd("REPLICAOF").arg("NO").arg("ONE").query_async(&mut raw).await?;
    put(&patient(&server.url())?.open().await?, flag("a")).await?;
    Ok(())
}
