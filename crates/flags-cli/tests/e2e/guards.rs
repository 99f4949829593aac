//! What is wrong in a store, and is found.

use anyhow::{Result, ensure};

use crate::cli::{Cli, snapshot};

const GONE: &str = "00000000-0000-4000-8000-000000000001";

#[tokio::test]
async fn doctor_finds_what_others_left() -> Result<()> {
    let mut cli = Cli::sound_redis()?;
    cli.ok("flag create good", "")?;
    cli.ok("doctor", "")?;
    // As another library may leave it: half a flag, an override of nobody's, segments in a circle, a rollout
    // of 200%.
    let prefix = cli.prefix().to_owned();
    let client = redis::Client::open(cli.url())?;
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

#[tokio::test]
async fn doctor_repairs_indexes_and_leaves_records_alone() -> Result<()> {
    let mut cli = Cli::sound_redis()?;
    cli.ok("flag create a", "")?;
    let (prefix, client) = (cli.prefix().to_owned(), redis::Client::open(cli.url())?);
    let mut connection = client.get_multiplexed_async_connection().await?;
    // A flag that no listing shows, an entry without a flag, a list in the place of an index.
    let mut pipe = redis::pipe();
    pipe.srem(format!("{prefix}flags"), "a").sadd(format!("{prefix}flags"), "gone");
    pipe.rpush(format!("{prefix}segments"), "x");
    pipe.query_async::<()>(&mut connection).await?;
    cli.ok("flag list --json", "")?;
    for line in ["doctor", "doctor --repair", "doctor --json"] {
        let ran = cli.run(line)?;
        ensure!(ran.code == Some(1), "the list is left to somebody: {ran:?}");
    }
    pipe = redis::pipe();
    pipe.del(format!("{prefix}segments"));
    pipe.query_async::<()>(&mut connection).await?;
    cli.ok("doctor", "")?;
    cli.ok("flag list", "")?;
    snapshot("doctor_repair", &cli.transcript);
    Ok(())
}

/// Runs a command whose standard output, or else its standard error, nobody reads.
fn unread(cli: &Cli, args: &[&str], stdin: &str, output: bool) -> Result<Option<i32>> {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut command = cli.command();
    let mut child =
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if output {
        drop(child.stdout.take());
    } else {
        drop(child.stderr.take());
    }
    if let Some(mut input) = child.stdin.take() {
        input.write_all(stdin.as_bytes())?;
    }
    Ok(child.wait()?.code())
}

#[test]
fn an_outcome_counts_also_where_nobody_reads_it() -> Result<()> {
    let mut cli = Cli::redis()?;
    cli.ok("flag create a", "")?;
    cli.ok("flag create b", "")?;
    let read = cli.quiet(&["flag", "list", "--json"], "")?.stdout;
    let mut flags: serde_json::Value = serde_json::from_str(&read)?;
    flags[0]["default_enabled"] = true.into();
    flags[1]["revision"] = "stale".into();
    let stale = flags.to_string();
    ensure!(unread(&cli, &["flag", "update", "-f", "-", "--json"], &stale, true)? == Some(4), "{stale}");
    ensure!(unread(&cli, &["flag", "enable", "nothing"], "", false)? == Some(3));
    ensure!(unread(&cli, &["flag", "delete", "a", "b", "--yes"], "", false)? == Some(0));
    ensure!(cli.quiet(&["flag", "list", "--json"], "")?.stdout == "[]\n");
    Ok(())
}

#[test]
fn a_part_of_an_override_leaves_the_rest_as_it_is() -> Result<()> {
    let mut cli = Cli::redis()?;
    cli.ok("flag create a", "")?;
    cli.ok("override set a user 7 --enabled false", "")?;
    let read = cli.quiet(&["override", "get", "a", "user", "7", "--json"], "")?.stdout;
    let part: serde_json::Value = serde_json::from_str(&read)?;
    let part = serde_json::json!({
        "flag_id": part["flag_id"], "entity_type": "user", "entity_id": "7", "revision": part["revision"],
    });
    let same = cli.quiet(&["override", "set", "-f", "-"], &part.to_string())?;
    ensure!(same.code == Some(0) && same.stderr.contains("unchanged"), "{same:?}");
    ensure!(cli.quiet(&["override", "get", "a", "user", "7", "--json"], "")?.stdout == read);
    let mut part = part;
    part["value"] = 7.into();
    ensure!(cli.quiet(&["override", "set", "-f", "-"], &part.to_string())?.code == Some(0));
    let after: serde_json::Value =
        serde_json::from_str(&cli.quiet(&["override", "get", "a", "user", "7", "--json"], "")?.stdout)?;
    ensure!(after["enabled"] == false && after["value"] == 7, "{after}");
    part["value"] = 8.into();
    let stale = cli.quiet(&["override", "set", "-f", "-"], &part.to_string())?;
    ensure!(stale.code == Some(4), "{stale:?}");
    Ok(())
}

#[test]
fn a_url_in_the_wrong_place_is_not_quoted() -> Result<()> {
    let cli = Cli::on("");
    let url = "redis://u:hunter2@h:1/?prefix=a=b";
    for args in [&[url, "flag", "list"][..], &["--json", url], &["flag", "list", &format!("--stor={url}")]] {
        let ran = cli.quiet(args, "")?;
        ensure!(ran.code == Some(2) && !ran.stderr.is_empty(), "{args:?}: {ran:?}");
        ensure!(!format!("{ran:?}").contains("hunter2"), "{args:?}: {ran:?}");
    }
    Ok(())
}

#[test]
fn a_failure_after_others_succeeded_does_not_say_that_nothing_was_changed() -> Result<()> {
    let mut cli = Cli::redis()?;
    cli.ok("flag create k", "")?;
    cli.ok("flag create l", "")?;
    let windows = r#"[{"name": "good"}, {"name": "bad", "timezone": "Mars"}]"#;
    let ran = cli.quiet(&["window", "create", "--flag", "k", "-f", "-"], windows)?;
    ensure!(ran.code == Some(1) && ran.stderr.contains("created window"), "{ran:?}");
    ensure!(!ran.stderr.contains("nothing was changed") && ran.stderr.contains("leave it out"), "{ran:?}");
    let ran = cli.quiet(&["flag", "delete", "k", "gone", "l", "--yes", "--json"], "")?;
    ensure!(ran.code == Some(3) && ran.stdout == "[\"flag:k\"]\n", "{ran:?}");
    ensure!(ran.stderr.contains("leave it out"), "{ran:?}");
    // The first of all changes nothing.
    let ran =
        cli.quiet(&["window", "create", "--flag", "l", "-f", "-"], r#"[{"name": "b", "timezone": "Mars"}]"#)?;
    ensure!(ran.stderr.contains("nothing was changed"), "{ran:?}");
    Ok(())
}

#[test]
fn an_import_that_ends_early_says_that_the_rest_is_missing() -> Result<()> {
    // Room for the first batch, of 3 MB, and not for all eight.
    let server = flags_tests::server::Server::start(&["--maxmemory", "16mb"])?;
    let cli = Cli::on(format!("{}/?command_timeout_ms=600000&deadline_ms=600000", server.url()));
    let text = "x".repeat(3_000);
    let flags: Vec<String> = (0..8_000).map(|number| format!(
        r#"{{"id":"00000000-0000-4000-8000-{number:012}","key":"flag-{number}","name":"{text}","flag_type":"boolean","status":"active","default_enabled":false}}"#
    )).collect();
    let document = format!(r#"{{"version":1,"flags":[{}]}}"#, flags.join(","));
    let ran = cli.quiet(&["import", "-"], &document)?;
    ensure!(ran.code == Some(5) && ran.stderr.contains("out of memory"), "{ran:?}");
    ensure!(!ran.stderr.contains("hint: nothing was changed"), "{ran:?}");
    ensure!(ran.stderr.contains("repeat the command to import the rest"), "{ran:?}");
    Ok(())
}
