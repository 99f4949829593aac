//! What another library leaves behind when it deletes a flag: listed, and deleted.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::cli::{Cli, Ran};

const GONE: &str = "00000000-0000-4000-8000-000000000001";
const ID: &str = "00000000-0000-4000-8000-000000000002";

/// One record of each kind that belongs to a flag, as the origin writes them; and no flag.
async fn plant(cli: &Cli) -> Result<()> {
    let prefix = cli.prefix();
    let client = redis::Client::open(flags_tests::server::Shared::get()?.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let record = |members: &str| format!(r#"{{"id":"{ID}","flag_id":"{GONE}",{members}}}"#);
    let mut pipe = redis::pipe();
    pipe.set(
        format!("{prefix}override:{GONE}:user:a:b"),
        record(r#""entity_type":"user","entity_id":"a:b","enabled":true"#),
    );
    pipe.set(
        format!("{prefix}schedule:{ID}"),
        record(r#""change_type":"enable","scheduled_at":"2020-01-01T00:00:00","executed":true"#),
    );
    pipe.sadd(format!("{prefix}schedules"), ID).sadd(format!("{prefix}schedules:flag:{GONE}"), ID);
    pipe.set(
        format!("{prefix}time_schedule:{ID}"),
        record(r#""name":"w","recurrence_type":"daily","start_time":"09:00:00","end_time":"17:00:00","enabled":true"#),
    );
    pipe.sadd(format!("{prefix}time_schedules"), ID).sadd(format!("{prefix}time_schedules:flag:{GONE}"), ID);
    pipe.set(
        format!("{prefix}rollout_phase:{ID}"),
        record(r#""phase_number":1,"target_percentage":10,"scheduled_at":"2030-01-01T00:00:00","executed":false"#),
    );
    pipe.sadd(format!("{prefix}rollout_phases:flag:{GONE}"), ID);
    Ok(pipe.query_async::<()>(&mut connection).await?)
}

#[tokio::test]
async fn they_are_listed_and_deleted() -> Result<()> {
    let cli = Cli::redis()?;
    ensure!(cli.quiet(&["flag", "create", "alive"], "")?.code == Some(0));
    ensure!(cli.quiet(&["override", "set", "alive", "user", "1"], "")?.code == Some(0));
    plant(&cli).await?;
    let run = |words: &[&str]| -> Result<Ran> {
        let ran = cli.quiet(words, "")?;
        ensure!(ran.code == Some(0), "{words:?}: {ran:?}");
        Ok(ran)
    };
    let listed = |noun: &str| -> Result<Vec<Value>> {
        let listed: Value = serde_json::from_str(&run(&[noun, "list", "--orphans", "--json"])?.stdout)?;
        Ok(listed.as_array().cloned().unwrap_or_default())
    };

    let overrides = listed("override")?;
    ensure!(overrides.len() == 1 && overrides[0]["flag_id"] == GONE, "{overrides:?}");
    // For people it has all that it takes to delete it.
    let table = run(&["override", "list", "--orphans"])?.stdout;
    ensure!(table.contains(GONE) && table.contains("a:b") && !table.contains("alive"), "{table}");
    run(&["override", "get", "--flag-id", GONE, "user", "a:b"])?;
    let guarded =
        cli.quiet(&["override", "delete", "--flag-id", GONE, "user", "a:b", "--if-revision", "stale"], "")?;
    ensure!(guarded.code == Some(4), "{guarded:?}");
    run(&["override", "delete", "--flag-id", GONE, "user", "a:b"])?;
    ensure!(listed("override")?.is_empty());
    for noun in ["schedule", "window"] {
        ensure!(listed(noun)?.len() == 1, "{noun}");
        ensure!(run(&[noun, "list", "--orphans"])?.stdout.contains(ID), "{noun}");
        run(&[noun, "delete", ID])?;
        ensure!(listed(noun)?.is_empty(), "{noun}");
    }
    // The origin lists phases by their flag alone, so without the flag only their id finds them.
    run(&["phase", "get", ID])?;
    run(&["phase", "delete", ID])?;
    ensure!(cli.quiet(&["phase", "get", ID], "")?.code == Some(3));
    run(&["doctor"])?;
    ensure!(run(&["override", "list", "alive"])?.stdout.contains("user"), "the others are as they were");

    for wrong in [
        &["override", "delete", "--flag-id", GONE, "alive", "user", "1"][..],
        &["override", "get", "alive", "user"],
    ] {
        ensure!(cli.quiet(wrong, "")?.code == Some(2), "{wrong:?}");
    }
    ensure!(cli.quiet(&["override", "list"], "")?.code == Some(2));
    Ok(())
}

#[tokio::test]
async fn they_are_marked_where_they_are_due() -> Result<()> {
    let cli = Cli::redis()?;
    plant(&cli).await?;
    let change = format!(
        r#"{{"id": "{ID}", "executed": false, "executed_at": null, "description": "a member that we do not know"}}"#
    );
    let edited = cli.quiet(&["schedule", "update", "-f", "-"], &change)?;
    ensure!(edited.code == Some(0), "an orphan can be edited where it is: {edited:?}");
    let ran = cli.quiet(&["schedule", "run-due", "--json"], "")?;
    ensure!(ran.code == Some(1), "{ran:?}");
    let line: Value = serde_json::from_str(&ran.stdout)?;
    ensure!(line["outcome"] == "refused" && line["flag"].is_null(), "{line}");
    ensure!(
        line["reason"] == "its flag does not exist" && line["record"]["error"] == line["reason"],
        "{line}"
    );
    ensure!(line["record"]["executed"] == true, "{line}");
    ensure!(line["record"]["description"] == "a member that we do not know", "{line}");
    let again = cli.quiet(&["schedule", "run-due"], "")?;
    ensure!(again.code == Some(0) && again.stdout.is_empty(), "{again:?}");
    Ok(())
}

#[test]
fn what_may_belong_to_a_flag_that_cannot_be_read_is_no_orphan() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("flags.json");
    let cli = Cli::on(format!("file:{}", path.display()));
    let broken = r#"{"id": "00000000-0000-4000-8000-000000000003", "key": "broken", "name": "n",
        "flag_type": "of a later version", "status": "active", "default_enabled": true}"#;
    let owned = |flag: &str| {
        format!(
            r#"{{"id": "{ID}", "flag_id": "{flag}", "entity_type": "user", "entity_id": "1", "enabled": true}}"#
        )
    };
    let with = |flags: &str, flag: &str| -> Result<()> {
        let overrides = owned(flag);
        let document = format!(r#"{{"version": 1, "flags": [{flags}], "overrides": [{overrides}]}}"#);
        Ok(std::fs::write(&path, document)?)
    };
    with(broken, "00000000-0000-4000-8000-000000000003")?;
    let listed = cli.quiet(&["override", "list", "--orphans", "--json"], "")?;
    ensure!(listed.code == Some(1) && listed.stdout == "[]\n", "{listed:?}");
    ensure!(listed.stderr.contains("\"corrupt\"") && listed.stderr.contains("flag_unknown"), "{listed:?}");
    let exported = cli.quiet(&["export"], "")?;
    ensure!(exported.code == Some(1) && exported.stderr.contains("do not delete it yet"), "{exported:?}");
    let report: Value = serde_json::from_str(&cli.quiet(&["doctor", "--json"], "")?.stdout)?;
    let found = |kind: &str| {
        let findings = report["findings"].as_array().into_iter().flatten();
        findings.filter(|finding| finding["kind"] == kind).collect::<Vec<_>>()
    };
    ensure!(found("orphan").is_empty(), "{report}");
    let [unknown] = found("flag_unknown")[..] else { anyhow::bail!("{report}") };
    ensure!(unknown["severity"] == "warning", "{unknown}");

    // Where every flag can be read, there is no doubt.
    with("", GONE)?;
    let listed = cli.quiet(&["override", "list", "--orphans"], "")?;
    ensure!(listed.code == Some(0) && listed.stdout.contains(GONE), "{listed:?}");
    let found = cli.quiet(&["doctor"], "")?;
    ensure!(found.code == Some(1) && found.stdout.contains("error: override:"), "{found:?}");
    ensure!(found.stdout.contains("its flag does not exist, so nobody uses it"), "{found:?}");
    Ok(())
}
