//! Clusters.

use anyhow::Result;
use flags_tests::cluster::Cluster;
use flags_tests::wait;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;

async fn get(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<Option<String>> {
    redis::cmd("GET").arg(key).query_async(connection).await
}

/// The code of the error that the server answers.
async fn refusal(connection: &mut MultiplexedConnection, key: &str) -> String {
    let error = get(connection, key).await.expect_err("a redirection");
    error.code().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_slot_moves_key_by_key() -> Result<()> {
    let cluster = Cluster::start(3, 0).await?;
    let slot = cluster.slot_of("{t}").await?;
    let old = cluster.master_of(slot).await?;
    let new = (old + 1) % cluster.len();
    assert!(cluster.replicas_of(slot).await?.is_empty());
    let (mut at_old, mut at_new) = (cluster.raw(old).await?, cluster.raw(new).await?);
    for key in ["{t}a", "{t}b"] {
        let _: () = redis::cmd("SET").arg(key).arg(key).query_async(&mut at_old).await?;
    }
    assert_eq!(refusal(&mut at_new, "{t}a").await, "MOVED");

    let migration = cluster.begin_migration(slot, new).await?;
    assert_eq!(migration.move_keys(1).await?, 1);
    let mut answers = Vec::new();
    for key in ["{t}a", "{t}b"] {
        answers.push(match get(&mut at_old, key).await {
            Ok(value) => value.unwrap_or_default(),
            Err(error) => error.code().unwrap_or_default().to_owned(),
        });
        assert_eq!(refusal(&mut at_new, key).await, "MOVED", "only asked for with ASKING");
    }
    answers.sort();
    assert!(answers[0] == "ASK" && answers[1].starts_with("{t}"), "{answers:?}");

    migration.finish().await?;
    assert_eq!(cluster.master_of(slot).await?, new);
    for key in ["{t}a", "{t}b"] {
        assert_eq!(get(&mut at_new, key).await?.as_deref(), Some(key));
        assert_eq!(refusal(&mut at_old, key).await, "MOVED");
    }
    cluster.migrate(slot, old).await?;
    assert_eq!(get(&mut at_old, "{t}a").await?.as_deref(), Some("{t}a"));
    Ok(())
}

#[tokio::test]
async fn a_replica_takes_over() -> Result<()> {
    let mut cluster = Cluster::start(3, 1).await?;
    let slot = cluster.slot_of("{t}").await?;
    let first = cluster.master_of(slot).await?;
    let replicas = cluster.replicas_of(slot).await?;
    assert_eq!(replicas.len(), 1);
    let mut pipe = redis::pipe();
    pipe.cmd("SET").arg("{t}a").arg("1").ignore().cmd("WAIT").arg(1).arg(60_000);
    let confirmed: (u64,) = pipe.query_async(&mut cluster.raw(first).await?).await?;
    assert_eq!(confirmed.0, 1);

    cluster.node_mut(first).stop();
    let second = cluster.wait_for_failover(slot, first).await?;
    assert_eq!([second], replicas[..]);
    assert_eq!(get(&mut cluster.raw(second).await?, "{t}a").await?.as_deref(), Some("1"));

    // It comes back as a replica of the one that took its place.
    cluster.node_mut(first).run()?;
    cluster.wait_until_settled().await?;
    wait::until("the replica is seen", async || Ok(cluster.replicas_of(slot).await? == [first])).await?;

    cluster.node(second).freeze()?;
    assert_eq!(cluster.wait_for_failover(slot, second).await?, first);
    cluster.node(second).thaw()?;
    cluster.wait_until_settled().await?;
    assert_eq!(cluster.master_of(slot).await?, first);
    Ok(())
}
