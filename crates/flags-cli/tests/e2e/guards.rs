//! What is wrong in a store, and is found.

use anyhow::{Result, ensure};
use flags_tests::server::Shared;

use crate::cli::{Cli, snapshot};

const GONE: &str = "00000000-0000-4000-8000-000000000001";

#[tokio::test]
async fn doctor_finds_what_others_left() -> Result<()> {
    let mut cli = Cli::redis()?;
    cli.ok("flag create good", "")?;
    cli.ok("doctor", "")?;
    // As another library may leave it: half a flag, an override of nobody's, segments in a circle, a rollout of 200%.
    let server = Shared::get()?;
    let prefix = cli.prefix().to_owned();
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let segment = |id: u8, parent: u8| {
        format!(
            r#"{{"id":"00000000-0000-4000-8000-0000000000{id:02}","name":"s{id}",
                "parent_segment_id":"00000000-0000-4000-8000-0000000000{parent:02}"}}"#
        )
    };
    let mut pipe = redis::pipe();
    pipe.sadd(format!("{prefix}flags"), "bad").set(format!("{prefix}flag:bad"), "{\"key\":");
    pipe.set(
        format!("{prefix}override:{GONE}:user:1"),
        format!(
            r#"{{"id":"{GONE}","flag_id":"{GONE}","entity_type":"user","entity_id":"1","enabled":true}}"#
        ),
    );
    for (id, parent) in [(11, 12), (12, 11), (13, 99)] {
        let uuid = format!("00000000-0000-4000-8000-0000000000{id:02}");
        pipe.sadd(format!("{prefix}segments"), &uuid);
        pipe.set(format!("{prefix}segment:{uuid}"), segment(id, parent));
    }
    pipe.query_async::<()>(&mut connection).await?;

    let sick = cli.run("doctor")?;
    ensure!(sick.code == Some(1), "{sick:?}");
    let sick = cli.run("doctor --json")?;
    ensure!(sick.code == Some(1) && sick.stderr.is_empty(), "{sick:?}");
    // The rest is served, and the errors are beside it.
    let listed = cli.run("flag list --json")?;
    ensure!(listed.code == Some(1) && listed.stdout.contains("\"good\""), "{listed:?}");
    let exported = cli.quiet(&["export"], "")?;
    ensure!(exported.code == Some(1) && exported.stderr.contains("warning: override:"), "{exported:?}");
    // What cannot be read can be deleted.
    cli.ok("flag delete bad", "")?;
    snapshot("doctor", &cli.transcript);
    Ok(())
}
