//! Every command that writes, on Redis, where the next process sees it.

use anyhow::{Result, ensure};

use crate::cli::{Cli, snapshot};

#[test]
fn the_life_of_a_flag() -> Result<()> {
    let mut cli = Cli::redis()?;
    cli.ok("flag create new-checkout", "")?;
    cli.ok(
        "flag create -f - --json",
        r#"[{"key": "a", "color": 1e400}, {"key": "b", "revision": "of no interest"}]"#,
    )?;
    // One commit: the flag that is there keeps the other out.
    cli.feed("flag create -f -", r#"[{"key": "c"}, {"key": "a"}]"#)?;
    cli.ok("flag list", "")?;
    cli.ok("flag enable new-checkout", "")?;
    cli.ok("flag disable new-checkout --json", "")?;
    cli.ok("flag archive new-checkout", "")?;
    cli.ok("flag get new-checkout", "")?;
    cli.ok("flag apply -f -", r#"[{"key": "a", "tags": ["web"]}, {"key": "d"}]"#)?;
    let kept = cli.ok("flag get a --json", "")?;
    ensure!(kept.contains("1e400"), "{kept}");
    cli.feed("flag delete a b", "")?;
    cli.ok("flag delete a b --yes", "")?;
    cli.ok("flag delete d --json", "")?;
    cli.ok("flag list", "")?;
    snapshot("life_of_a_flag", &cli.transcript);
    Ok(())
}

#[test]
fn a_revision_read_back_is_the_condition() -> Result<()> {
    let mut cli = Cli::redis()?;
    cli.ok("flag create k", "")?;
    let read = cli.quiet(&["flag", "get", "k", "--json"], "")?.stdout;
    let edited = read.replace("\"default_enabled\": false", "\"default_enabled\": true");
    cli.ok("flag update -f -", &edited)?;
    let again = cli.feed("flag update -f - --json", &edited)?;
    ensure!(again.code == Some(4) && again.stdout.is_empty(), "{again:?}");
    let applied = cli.quiet(&["flag", "apply", "-f", "-"], &edited)?;
    ensure!(applied.code == Some(4), "{applied:?}");

    let now = cli.quiet(&["flag", "get", "k", "--json"], "")?.stdout;
    let revision =
        now.split("\"revision\": \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let stored = cli.quiet(&["export"], "")?.stdout;
    ensure!(!stored.contains("revision"), "it is never stored: {stored}");
    let tagged = edited.replace("\"tags\": []", "\"tags\": [\"web\"]");
    for (revision, code) in [("stale", 4), (revision, 0)] {
        let ran = cli.quiet(&["flag", "update", "-f", "-", "--if-revision", revision], &tagged)?;
        ensure!(ran.code == Some(code), "{ran:?}");
    }
    let stale = cli.quiet(&["flag", "delete", "k", "--if-revision", revision], "")?;
    ensure!(stale.code == Some(4), "{stale:?}");
    snapshot("revisions", &cli.transcript);
    Ok(())
}

#[test]
fn what_belongs_to_a_flag() -> Result<()> {
    let mut cli = Cli::redis()?;
    cli.ok("flag create theme", "")?;
    cli.ok("override set theme user 42 --value {\"a\":1e400} --expires-in 2h", "")?;
    let stored = cli.quiet(&["--json", "override", "get", "theme", "user", "42"], "")?.stdout;
    anyhow::ensure!(stored.contains(r#""a": 1e400"#), "{stored}");
    cli.ok("override set theme user 42 --enabled false --json", "")?;
    let one = cli.ok("override get theme user 42 --json", "")?;
    let edited = one.replace("\"enabled\": false", "\"enabled\": true");
    ensure!(cli.quiet(&["override", "set", "-f", "-"], &edited)?.code == Some(0));
    ensure!(cli.quiet(&["override", "set", "-f", "-"], &edited)?.code == Some(4), "it was read before");
    cli.ok("override list theme", "")?;
    cli.ok("override delete theme user 42", "")?;
    cli.ok("override list theme", "")?;

    let records = [
        (
            "schedule",
            r#"{"change_type": "enable", "scheduled_at": "2030-01-01T09:00:00Z"}"#,
            "enable",
            "disable",
        ),
        ("window", r#"[{"name": "office", "start_time": "09:00", "end_time": "17:00"}]"#, "office", "shop"),
        (
            "phase",
            r#"{"phase_number": 1, "target_percentage": 10, "scheduled_at": "2030-01-01"}"#,
            ": 10",
            ": 20",
        ),
    ];
    for (noun, record, before, after) in records {
        let created = cli.ok(&format!("{noun} create --flag theme -f - --json"), record)?;
        let id = created.split("\"id\":").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap_or_default();
        let read = cli.quiet(&[noun, "get", id, "--json"], "")?.stdout;
        cli.ok(&format!("{noun} update -f -"), &read.replace(before, after))?;
        cli.ok(&format!("{noun} list"), "")?;
        cli.ok(&format!("{noun} delete {id}"), "")?;
        cli.ok(&format!("{noun} list --flag theme"), "")?;
    }
    cli.ok(
        "segment create -f -",
        r#"[{"name": "eu"}, {"name": "benelux", "conditions": [
        {"attribute": "country", "operator": "in", "value": ["NL"]}]}]"#,
    )?;
    let read = cli.quiet(&["segment", "get", "benelux", "--json"], "")?.stdout;
    cli.ok("segment update -f -", &read.replace("\"NL\"", "\"BE\""))?;
    cli.ok("segment list", "")?;
    cli.ok("segment delete benelux eu --yes", "")?;
    snapshot("what_belongs_to_a_flag", &cli.transcript);
    Ok(())
}

#[test]
fn a_store_moves_as_a_document() -> Result<()> {
    let document = Cli::shop().ok("export", "")?;
    let cli = Cli::redis()?;
    let import = |args: &[&str]| cli.quiet(&[&["import", "-"], args].concat(), &document);
    ensure!(import(&[])?.stderr.contains("created 11"), "{:?}", import(&[])?);
    ensure!(import(&["--json"])?.stdout.contains("\"unchanged\":11"));
    ensure!(cli.quiet(&["export"], "")?.stdout == document);
    cli.quiet(&["flag", "create", "extra"], "")?;
    ensure!(import(&["--replace"])?.code == Some(2), "it deletes, and nobody was asked");
    ensure!(import(&["--replace", "--yes"])?.code == Some(0));
    ensure!(cli.quiet(&["export"], "")?.stdout == document);
    Ok(())
}

#[test]
fn a_listing_over_many_flags_has_their_keys() -> Result<()> {
    let cli = Cli::redis()?;
    let keys: Vec<String> = (10..40).map(|number| format!(r#"{{"key": "flag-{number}"}}"#)).collect();
    ensure!(cli.quiet(&["flag", "create", "-f", "-"], &format!("[{}]", keys.join(",")))?.code == Some(0));
    let phase = r#"{"phase_number": 1, "target_percentage": 10, "scheduled_at": "2030-01-01"}"#;
    for number in 10..40 {
        let flag = format!("flag-{number}");
        ensure!(cli.quiet(&["phase", "create", "--flag", &flag, "-f", "-"], phase)?.code == Some(0));
    }
    let listed = cli.quiet(&["phase", "list"], "")?.stdout;
    for number in 10..40 {
        ensure!(listed.contains(&format!("flag-{number} ")), "{listed}");
    }
    Ok(())
}
