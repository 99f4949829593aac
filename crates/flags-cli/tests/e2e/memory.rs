//! Every command that reads, and every kind of failure, on a document in memory.

use anyhow::{Result, ensure};

use crate::cli::{Cli, snapshot};

#[test]
fn reading_for_people() -> Result<()> {
    let mut cli = Cli::shop();
    for line in [
        "flag list",
        "flag list --status active --tag web",
        "flag list --tag none",
        "flag get new-checkout",
        "flag get theme",
        "override list new-checkout",
        "override get new-checkout user 42",
        "schedule list",
        "schedule list --all --flag theme",
        "schedule get 00000000-0000-0000-0000-000000000301",
        "window list",
        "window list --flag new-checkout",
        "window get 00000000-0000-0000-0000-000000000401",
        "phase list",
        "phase get 00000000-0000-0000-0000-000000000501",
        "segment list",
        "segment get benelux",
        "health",
    ] {
        let printed = cli.ok(line, "")?;
        let widest = printed.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        ensure!(widest <= 80 || line.contains(" get "), "{line} is {widest} columns wide:\n{printed}");
    }
    snapshot("reading_for_people", &cli.transcript);
    Ok(())
}

#[test]
fn reading_for_programs() -> Result<()> {
    let mut cli = Cli::shop();
    for line in [
        "flag list --json",
        "flag list --status archived --json",
        "flag get theme --json",
        "override list new-checkout --json",
        "override get new-checkout user 42 --json",
        "schedule list --json",
        "schedule get 00000000-0000-0000-0000-000000000301 --json",
        "window list --json",
        "phase list --flag new-checkout --json",
        "segment list --json",
        "segment get benelux --json",
        "health --json",
        "doctor --json",
        "export --json",
    ] {
        let ran = cli.run(line)?;
        ensure!(ran.code == Some(0) && ran.stderr.is_empty(), "{line}: {ran:?}");
        serde_json::from_str::<serde_json::Value>(&ran.stdout)?;
    }
    snapshot("reading_for_programs", &cli.transcript);
    Ok(())
}

#[test]
fn an_export_is_the_document_that_it_came_from() -> Result<()> {
    let exported = Cli::shop().ok("export", "")?;
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop.json"))?;
    ensure!(exported == document, "{exported}");
    Ok(())
}

#[test]
fn a_dry_run_shows_the_difference_and_changes_nothing() -> Result<()> {
    let mut cli = Cli::shop();
    let document = cli.quiet(&["export"], "")?.stdout;
    let edited = document.replace("\"spring\"", "\"autumn\"").replace("\"benelux\"", "\"lowlands\"");
    for line in ["import - --dry-run", "import - --dry-run --json", "import - --json"] {
        // The document is long, and the same each time.
        let words: Vec<&str> = line.split(' ').collect();
        let ran = cli.quiet(&words, &edited)?;
        ensure!(ran.code == Some(0), "{ran:?}");
        cli.transcript.push_str(&format!("$ flags {line}\n{}{}", ran.stdout, ran.stderr));
    }
    let empty = r#"{"version": 1}"#;
    cli.feed("import - --replace --dry-run", empty)?;
    cli.feed("import - --replace", empty)?;
    cli.feed("import - --replace --yes", empty)?;
    snapshot("dry_run", &cli.transcript);
    Ok(())
}

#[test]
fn failures_name_the_next_step() -> Result<()> {
    let mut cli = Cli::shop();
    for (line, stdin, code) in [
        ("flag get missing", "", 3),
        ("flag get missing --json", "", 3),
        ("flag enable missing", "", 3),
        ("override get missing user 1", "", 3),
        ("override get new-checkout user nobody --json", "", 3),
        ("override set missing user 1", "", 3),
        ("override delete new-checkout user nobody", "", 3),
        ("segment get missing", "", 3),
        ("segment delete missing --json", "", 3),
        ("schedule get 00000000-0000-0000-0000-0000000000ff", "", 3),
        ("flag delete missing", "", 3),
        ("flag create new-checkout", "", 4),
        ("flag create new-checkout --json", "", 4),
        ("flag create -f -", "{\"key\": \"a\"", 1),
        ("flag create -f -", "{\"key\": \"a\", \"key\": \"b\"}", 1),
        ("flag create -f -", "{\"name\": \"keyless\"}", 1),
        ("flag create -f - --json", "{\"key\": \"a\", \"status\": \"paused\"}", 1),
        ("flag create -f -", "{\"key\": \"a\", \"default_value\": 3}", 1),
        ("flag create -f -", "{\"key\": \"a\", \"rules\": [{\"rollout_percentage\": 101}]}", 1),
        ("flag create -f missing.json", "", 1),
        ("flag update -f -", "{\"name\": \"keyless\"}", 1),
        ("window create --flag theme -f -", "{\"name\": \"w\", \"timezone\": \"Mars\"}", 1),
        ("phase create -f -", "{\"phase_number\": 1}", 1),
        ("import -", "[]", 1),
        ("import -", "{\"version\": 2}", 1),
        ("flag create", "", 2),
        ("flag list --status paused", "", 2),
        ("flag list --nonsense --json", "", 2),
        ("schedule get 17", "", 2),
        ("override set new-checkout user 1 --expires-in soon", "", 2),
        ("flag delete theme new-checkout", "", 2),
        ("flag delete theme new-checkout --yes --if-revision 1", "", 2),
        ("--store mysql:x flag list", "", 2),
        ("--store memory:missing.json flag list --json", "", 5),
        ("--store redis://127.0.0.1:1 flag list --json", "", 5),
    ] {
        let ran = cli.feed(line, stdin)?;
        ensure!(ran.code == Some(code), "flags {line}: {ran:?}");
        ensure!(ran.stdout.is_empty(), "nothing but data goes to standard output: {ran:?}");
    }
    snapshot("failures", &cli.transcript);
    Ok(())
}

#[test]
fn help_fits_80_columns_and_has_examples() -> Result<()> {
    let cli = Cli::on("");
    for line in [
        "help",
        "help flag",
        "help override",
        "help override set",
        "help override delete",
        "help schedule",
        "help schedule list",
        "help schedule create",
        "help schedule run-due",
        "help scheduler",
        "help window",
        "help phase",
        "help segment",
        "help eval",
        "help export",
        "help import",
        "help watch",
        "help health",
        "help doctor",
        "help exit-codes",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = cli.quiet(&words, "")?;
        ensure!(ran.code == Some(0), "{ran:?}");
        let wide = ran.stdout.lines().find(|line| line.chars().count() > 80);
        ensure!(wide.is_none(), "{line}: {wide:?}");
    }
    let help = cli.quiet(&["help", "exit-codes"], "")?.stdout;
    let run = cli.quiet(&["exit-codes"], "")?;
    ensure!(run.code == Some(0) && help.contains(run.stdout.trim_end()), "{run:?}\n{help}");
    Ok(())
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() -> Result<()> {
    let cli = Cli::shop();
    let mut export = cli.command();
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let output = export.arg("export").stdout(writer).stderr(std::process::Stdio::piped()).spawn()?;
    let output = output.wait_with_output()?;
    ensure!(output.status.code() == Some(0) && output.stderr.is_empty(), "{output:?}");
    Ok(())
}

#[test]
fn where_no_store_is_named_it_is_said_which_one_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let run = |words: &[&str]| crate::cli::run(Cli::on("").command().args(words).current_dir(&folder), "");
    let created = run(&["flag", "create", "a"])?;
    ensure!(created.code == Some(0) && created.stderr.contains("no store is named"), "{created:?}");
    ensure!(folder.path().join("flags.json").exists());
    let listed = run(&["flag", "list"])?;
    ensure!(listed.stdout.contains("\na ") && listed.stderr.is_empty(), "{listed:?}");
    Ok(())
}

#[test]
fn a_document_that_cannot_be_read_is_no_mistake_on_the_command_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("export.json");
    for document in ["{", r#"{"version": 1, "flags": [{"key": "a"}]}"#] {
        std::fs::write(&path, document)?;
        let ran = Cli::on(format!("memory:{}", path.display())).quiet(&["flag", "list", "--json"], "")?;
        ensure!(ran.code == Some(1) && ran.stderr.contains(r#""kind":"invalid""#), "{ran:?}");
    }
    Ok(())
}
