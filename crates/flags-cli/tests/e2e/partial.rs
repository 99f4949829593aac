//! Records that name only what changes, and options that say only what changes.

use std::thread;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::cli::Cli;

/// The record without what changes at every write.
fn read(cli: &Cli, words: &[&str]) -> Result<Value> {
    let ran = cli.quiet(&[words, &["--json"]].concat(), "")?;
    ensure!(ran.code == Some(0), "{words:?}: {ran:?}");
    let mut record: Value = serde_json::from_str(&ran.stdout)?;
    for member in ["updated_at", "revision"] {
        record.as_object_mut().map(|members| members.remove(member));
    }
    Ok(record)
}

/// Runs the command with that record, and says what its exit code is.
fn write(cli: &Cli, words: &[&str], record: &Value) -> Result<Option<i32>> {
    Ok(cli.quiet(&[words, &["-f", "-"]].concat(), &record.to_string())?.code)
}

#[test]
fn a_flag_keeps_what_the_input_does_not_name() -> Result<()> {
    let full = json!({
        "key": "k", "name": "n", "description": "d", "flag_type": "string", "default_value": "v", "tags": ["t"],
        "metadata": {"team": "web"}, "rules": [{"name": "nl", "conditions":
            [{"attribute": "country", "operator": "eq", "value": "NL"}]}], "color": "red",
        "created_at": "2026-01-01T00:00:00+00:00",
    });
    for verb in ["update", "apply"] {
        let cli = Cli::redis()?;
        ensure!(write(&cli, &["flag", "create"], &full)? == Some(0));
        let mut want = read(&cli, &["flag", "get", "k"])?;
        let revision = cli.quiet(&["flag", "get", "k", "--json"], "")?.stdout;
        let revision = serde_json::from_str::<Value>(&revision)?["revision"].clone();
        ensure!(write(&cli, &["flag", verb], &json!({"key": "k", "status": "inactive"}))? == Some(0));
        want["status"] = "inactive".into();
        ensure!(read(&cli, &["flag", "get", "k"])? == want, "{verb} resets what it does not name");

        let cleared = json!({"key": "k", "description": null, "default_value": null, "tags": null});
        ensure!(write(&cli, &["flag", verb], &cleared)? == Some(0));
        (want["description"], want["default_value"], want["tags"]) = (Value::Null, Value::Null, json!([]));
        ensure!(read(&cli, &["flag", "get", "k"])? == want, "{verb} clears what is null");

        let stale = json!({"key": "k", "name": "other", "revision": revision});
        ensure!(write(&cli, &["flag", verb], &stale)? == Some(4), "{verb} minds the revision");
        let wrong = json!([{"key": "k", "name": "other"}, {"key": "k2", "status": "paused"}]);
        ensure!(write(&cli, &["flag", verb], &wrong)? == Some(1));
        ensure!(
            read(&cli, &["flag", "get", "k"])? == want,
            "what is wrong is found before anything is written"
        );
        // The same again is nothing to write.
        let rules =
            json!({"key": "k", "rules": [{"name": "nl", "conditions": want["rules"][0]["conditions"]}]});
        let same = cli.quiet(&["flag", verb, "-f", "-"], &rules.to_string())?;
        ensure!(same.stderr == "unchanged: flag k\n", "{same:?}");
    }
    let cli = Cli::redis()?;
    ensure!(write(&cli, &["flag", "update"], &json!({"key": "k", "name": "n"}))? == Some(3));
    ensure!(write(&cli, &["flag", "update"], &json!({"name": "n"}))? == Some(1));
    ensure!(write(&cli, &["flag", "apply"], &full)? == Some(0), "apply creates what is not there");
    ensure!(read(&cli, &["flag", "get", "k"])?["created_at"] == full["created_at"]);
    Ok(())
}

#[test]
fn other_records_keep_what_the_input_does_not_name() -> Result<()> {
    let cli = Cli::redis()?;
    ensure!(cli.quiet(&["flag", "create", "f"], "")?.code == Some(0));
    for (noun, record, change) in [
        (
            "schedule",
            json!({"change_type": "update_value", "scheduled_at": "2030-01-01", "new_value": [1], "created_by": "ann"}),
            json!({"scheduled_at": "2031-01-01T00:00:00+00:00"}),
        ),
        (
            "window",
            json!({"name": "w", "timezone": "Europe/Amsterdam", "start_time": "09:00", "days_of_week": [1, 2]}),
            json!({"enabled": false}),
        ),
        (
            "phase",
            json!({"phase_number": 1, "target_percentage": 10, "scheduled_at": "2030-01-01", "note": "x"}),
            json!({"target_percentage": 20}),
        ),
        (
            "segment",
            json!({"name": "s", "description": "d", "conditions":
                [{"attribute": "country", "operator": "eq", "value": "NL"}]}),
            json!({"enabled": false}),
        ),
    ] {
        let flag: &[&str] = if noun == "segment" { &[] } else { &["--flag", "f"] };
        let created =
            cli.quiet(&[&[noun, "create", "--json", "-f", "-"], flag].concat(), &record.to_string())?;
        ensure!(created.code == Some(0), "{created:?}");
        let id = serde_json::from_str::<Value>(&created.stdout)?["id"].clone();
        let name = if noun == "segment" { json!("s") } else { id.clone() };
        let get = [noun, "get", name.as_str().unwrap_or_default()];
        let mut want = read(&cli, &get)?;
        let mut part = change.clone();
        part["id"] = id;
        for (member, value) in change.as_object().into_iter().flatten() {
            want[member] = value.clone();
        }
        ensure!(write(&cli, &[noun, "update"], &part)? == Some(0));
        ensure!(read(&cli, &get)? == want, "{noun} update resets what it does not name");
    }
    // A segment is found by its name too.
    ensure!(write(&cli, &["segment", "update"], &json!({"name": "s", "description": null}))? == Some(0));
    ensure!(read(&cli, &["segment", "get", "s"])?["enabled"] == false);
    ensure!(write(&cli, &["segment", "update"], &json!({"name": "nobody"}))? == Some(3));
    Ok(())
}

#[test]
fn an_override_keeps_what_the_options_do_not_say() -> Result<()> {
    let cli = Cli::redis()?;
    ensure!(cli.quiet(&["flag", "create", "f"], "")?.code == Some(0));
    let set = |options: &[&str]| -> Result<Value> {
        let ran = cli.quiet(&[&["override", "set", "f", "user", "1"], options].concat(), "")?;
        ensure!(ran.code == Some(0), "{options:?}: {ran:?}");
        read(&cli, &["override", "get", "f", "user", "1"])
    };
    let mut want = set(&["--enabled", "false", "--value", "-5", "--expires-in", "2h"])?;
    ensure!(want["enabled"] == false && want["value"] == -5 && want["expires_at"].is_string(), "{want}");
    ensure!(set(&[])? == want, "no option, no change");
    want["enabled"] = true.into();
    ensure!(set(&["--enabled", "true"])? == want);
    want["value"] = json!({"a": 1});
    ensure!(set(&["--value", r#"{"a": 1}"#])? == want);
    want["value"] = Value::Null;
    ensure!(set(&["--no-value"])? == want);
    want["expires_at"] = Value::Null;
    ensure!(set(&["--no-expiry"])? == want);
    for wrong in [["--no-value", "--value=1"], ["--no-expiry", "--expires-in=1h"]] {
        let ran = cli.quiet(&[&["override", "set", "f", "user", "1"], &wrong[..]].concat(), "")?;
        ensure!(ran.code == Some(2), "{ran:?}");
    }
    let ran =
        cli.quiet(&["override", "set", "f", "user", "1", "--if-revision", "stale", "--value", "1"], "")?;
    ensure!(ran.code == Some(4), "{ran:?}");
    let ran = cli.quiet(&["override", "set", "f", "user", "2", "--if-revision", "stale"], "")?;
    ensure!(ran.code == Some(3), "{ran:?}");
    Ok(())
}

#[test]
fn options_set_at_the_same_time_are_all_there() -> Result<()> {
    let cli = Cli::redis()?;
    ensure!(cli.quiet(&["flag", "create", "f"], "")?.code == Some(0));
    let options = [["--enabled", "false"], ["--value", "7"], ["--expires-in", "2h"]];
    for who in ["1", "2", "3", "4", "5"] {
        thread::scope(|scope| {
            let writers: Vec<_> = options
                .iter()
                .map(|option| {
                    let words = [&["override", "set", "f", "user", who], &option[..]].concat();
                    let cli = &cli;
                    scope.spawn(move || cli.quiet(&words, ""))
                })
                .collect();
            writers.into_iter().try_for_each(|writer| {
                let ran = writer.join().map_err(|_| anyhow::anyhow!("panicked"))??;
                ensure!(ran.code == Some(0), "{ran:?}");
                Ok(())
            })
        })?;
        let one = read(&cli, &["override", "get", "f", "user", who])?;
        ensure!(one["enabled"] == false && one["value"] == 7 && one["expires_at"].is_string(), "{one}");
    }
    Ok(())
}

#[test]
fn ids_may_be_negative_numbers_or_begin_with_a_dash() -> Result<()> {
    let cli = Cli::redis()?;
    for key in ["-5", "f"] {
        ensure!(cli.quiet(&["flag", "create", key], "")?.code == Some(0));
    }
    ensure!(cli.quiet(&["flag", "delete", "-5"], "")?.code == Some(0));
    for verb in ["set", "get", "delete"] {
        let ran = cli.quiet(&["override", verb, "f", "user", "-42"], "")?;
        ensure!(ran.code == Some(0), "{ran:?}");
        let ran = cli.quiet(&["override", verb, "f", "user", "-x-1"], "")?;
        ensure!(ran.code == Some(2) && ran.stderr.contains("-- "), "it says how: {ran:?}");
        let ran = cli.quiet(&["override", verb, "f", "user", "--", "-x-1"], "")?;
        ensure!(ran.code == Some(0), "{ran:?}");
    }
    Ok(())
}
