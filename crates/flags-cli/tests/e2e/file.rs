//! A file as the store, and the one that is used where none is named.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cli::{FLAGS, Ran, run};
use crate::terminal::{PATIENCE_MS, finish};

fn flags(directory: &Path, line: &str) -> Result<Ran> {
    let mut command = Command::new(FLAGS);
    command.current_dir(directory).env_remove("FLAGS_STORE").env_remove("FLAGS_PREFIX").env("NO_COLOR", "1");
    run(command.args(line.split(' ')), "")
}

#[test]
fn where_no_store_is_named_it_is_a_file_in_the_current_directory() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("flags.json");
    let ran = flags(directory.path(), "flag list --json")?;
    ensure!(ran.code == Some(0) && ran.stdout == "[]\n" && ran.stderr.is_empty(), "{ran:?}");
    ensure!(flags(directory.path(), "flag get new-checkout")?.code == Some(3));
    ensure!(!file.exists(), "reading creates nothing");
    for line in ["flag create new-checkout", "flag enable new-checkout"] {
        let ran = flags(directory.path(), line)?;
        ensure!(ran.code == Some(0), "{line}: {ran:?}");
    }
    let exported = flags(directory.path(), "export")?;
    ensure!(exported.stdout == std::fs::read_to_string(&file)?, "the file is what an export writes");
    let named =
        flags(directory.path(), &format!("flag get new-checkout --json --store file:{}", file.display()))?;
    ensure!(named.stdout.contains("\"default_enabled\": true"), "{named:?}");
    Ok(())
}

#[test]
fn a_broken_file_is_told_by_line_and_column() -> Result<()> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("flags.json"), "{\n  \"version\": 1,\n  oops\n}")?;
    let ran = flags(directory.path(), "flag create new-checkout")?;
    ensure!(ran.code == Some(5) && ran.stderr.matches("line 3, column 3").count() == 1, "{ran:?}");
    ensure!(ran.stderr.contains("hint: nothing was changed; the store is the file"), "{ran:?}");
    let ran = flags(directory.path(), "flag list --store file:no/flags.json")?;
    ensure!(ran.code == Some(5) && ran.stderr.contains("create it"), "{ran:?}");
    ensure!(!ran.stderr.contains("store is up") && !ran.stderr.contains("password"), "{ran:?}");
    let ran = flags(directory.path(), "flag list --store file:x?y=1")?;
    ensure!(ran.code == Some(2), "{ran:?}");
    Ok(())
}

#[test]
fn a_prefix_that_is_asked_for_is_not_ignored() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for line in ["flag list --prefix p:", "--prefix p: flag list", "flag list --prefix p: --store memory:"] {
        let ran = flags(directory.path(), line)?;
        ensure!(ran.code == Some(2) && ran.stderr.contains("--prefix"), "{line}: {ran:?}");
    }
    // The variable may be meant for the store that is used otherwise.
    let mut command = Command::new(FLAGS);
    command.current_dir(directory.path()).env_remove("FLAGS_STORE").env("FLAGS_PREFIX", "p:");
    let ran = run(command.args(["flag", "list"]), "")?;
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn an_export_is_put_in_its_place_once_it_is_whole() -> Result<()> {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name);
    for key in ["a", "b"] {
        ensure!(flags(directory.path(), &format!("flag create {key}"))?.code == Some(0));
    }
    let document = flags(directory.path(), "export")?.stdout;
    ensure!(flags(directory.path(), "export -o -")?.stdout == document);
    ensure!(flags(directory.path(), "export -o /dev/stdout")?.stdout == document);
    let ran = flags(directory.path(), "export --output backup.json")?;
    ensure!(ran.code == Some(0) && ran.stdout.is_empty(), "{ran:?}");
    ensure!(ran.stderr.contains("exported 2 records to backup.json"), "{ran:?}");
    ensure!(fs::read_to_string(at("backup.json"))? == document);

    // One that was there keeps its permissions, and a link stays one.
    fs::write(at("private.json"), "old")?;
    fs::set_permissions(at("private.json"), Permissions::from_mode(0o600))?;
    symlink("private.json", at("link.json"))?;
    ensure!(flags(directory.path(), "export -o link.json")?.code == Some(0));
    ensure!(fs::read_to_string(at("private.json"))? == document);
    ensure!(fs::metadata(at("private.json"))?.permissions().mode() & 0o777 == 0o600);
    ensure!(fs::symlink_metadata(at("link.json"))?.is_symlink());

    // One that leads nowhere yet leads there afterwards.
    symlink("new.json", at("dangling.json"))?;
    ensure!(flags(directory.path(), "export -o dangling.json")?.code == Some(0));
    ensure!(fs::symlink_metadata(at("dangling.json"))?.is_symlink());
    ensure!(fs::read_to_string(at("new.json"))? == document);

    let ran = flags(directory.path(), "export -o no/backup.json")?;
    ensure!(ran.code == Some(1) && ran.stderr.contains("no/backup.json cannot be written"), "{ran:?}");
    let names = fs::read_dir(directory.path())?.map(|entry| Ok(entry?.file_name()));
    let hidden = |name: &std::ffi::OsString| name.to_string_lossy().starts_with('.');
    let left: Vec<_> = names.collect::<std::io::Result<Vec<_>>>()?.into_iter().filter(hidden).collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

/// Files that belong to a group are shared by it, and by no other one.
#[cfg(unix)]
#[test]
fn an_export_is_of_the_group_that_the_old_file_was_of_or_of_none() -> Result<()> {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;
    let directory = tempfile::tempdir()?;
    ensure!(flags(directory.path(), "flag create a")?.code == Some(0));
    let backup = directory.path().join("backup.json");
    let (user, others) = (54_321, 54_322);
    fs::write(&backup, "old")?;
    fs::set_permissions(&backup, Permissions::from_mode(0o640))?;
    if let Err(error) = chown(&backup, Some(user), Some(others)) {
        println!("only an administrator can make a file of another group: {error}");
        return Ok(());
    }
    let access = || -> Result<(u32, u32, u32)> {
        let metadata = fs::metadata(&backup)?;
        Ok((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777))
    };
    ensure!(flags(directory.path(), "export -o backup.json")?.code == Some(0));
    ensure!(access()? == (user, others, 0o640), "{:?}", access()?);

    // By its owner, who is not of that group and cannot give it.
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777))?;
    // One that may be started by anybody, wherever it was built.
    let program = directory.path().join("flags");
    fs::copy(FLAGS, &program)?;
    let mut command = Command::new(&program);
    command.current_dir(directory.path()).env_remove("FLAGS_STORE").uid(user).gid(user);
    let ran = run(command.args(["export", "-o", "backup.json"]), "")?;
    ensure!(ran.code == Some(0), "{ran:?}");
    ensure!(access()? == (user, user, 0o600), "{:?}", access()?);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_with_the_file_and_what_to_do() -> Result<()> {
    let directory = tempfile::tempdir()?;
    ensure!(flags(directory.path(), "flag create a")?.code == Some(0));
    let ran = flags(directory.path(), "export -o /dev/full")?;
    ensure!(ran.code == Some(1) && ran.stderr.contains("/dev/full cannot be written: "), "{ran:?}");
    ensure!(ran.stderr.contains("make room there"), "{ran:?}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn the_store_is_not_exported_onto_itself() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let ran = flags(directory.path(), "export -o flags.json")?;
    ensure!(ran.code == Some(2), "also where it is not there yet: {ran:?}");
    std::os::unix::fs::symlink("flags.json", directory.path().join("to-be.json"))?;
    let ran = flags(directory.path(), "export -o to-be.json")?;
    ensure!(ran.code == Some(2), "also by a link: {ran:?}");
    ensure!(flags(directory.path(), "flag create a")?.code == Some(0));
    let store = directory.path().join("flags.json");
    let before = std::fs::read_to_string(&store)?;
    std::os::unix::fs::symlink("flags.json", directory.path().join("link.json"))?;
    std::fs::hard_link(&store, directory.path().join("hard.json"))?;
    for name in ["flags.json", "./flags.json", "link.json", "hard.json"] {
        let ran = flags(directory.path(), &format!("export -o {name}"))?;
        ensure!(ran.code == Some(2) && ran.stderr.contains("is the store itself"), "{name}: {ran:?}");
    }
    ensure!(std::fs::read_to_string(&store)? == before);
    Ok(())
}

#[test]
fn at_a_terminal_an_export_says_which_store_it_is_where_none_is_named() -> Result<()> {
    let directory = tempfile::tempdir()?;
    ensure!(flags(directory.path(), "flag create a")?.code == Some(0));
    for (line, is_said) in
        [("export -o backup.json", true), ("import backup.json", true), ("flag list", false)]
    {
        let mut command = Command::new(FLAGS);
        command.current_dir(directory.path()).env_remove("FLAGS_STORE").env("TERM", "xterm");
        command.args(line.split(' '));
        let (said, code) = finish(rexpect::session::spawn_command(command, Some(PATIENCE_MS))?)?;
        ensure!(code == 0 && said.contains("no store is named") == is_said, "{line}: {said}");
    }
    Ok(())
}

/// As somebody does who copies what the command line shows.
#[test]
fn a_printed_flag_that_was_pasted_into_the_file_is_printed_with_one_revision() -> Result<()> {
    let directory = tempfile::tempdir()?;
    ensure!(flags(directory.path(), "flag create a")?.code == Some(0));
    let printed = flags(directory.path(), "flag get a --json")?.stdout;
    let document = format!("{{\"version\": 1, \"flags\": [{printed}]}}");
    std::fs::write(directory.path().join("flags.json"), &document)?;
    std::fs::write(directory.path().join("backup.json"), &document)?;
    for line in ["flag get a --json", "flag list --json"] {
        let printed = flags(directory.path(), line)?.stdout;
        ensure!(printed.matches("\"revision\"").count() == 1, "{printed}");
    }
    let script = format!("'{FLAGS}' flag get a --json | '{FLAGS}' flag update -f -");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(directory.path()).env_remove("FLAGS_STORE");
    let ran = run(&mut shell, "")?;
    ensure!(ran.code == Some(0), "{ran:?}");
    let imported = flags(directory.path(), "import backup.json --store file:other.json")?;
    ensure!(imported.code == Some(0), "{imported:?}");
    ensure!(!std::fs::read_to_string(directory.path().join("other.json"))?.contains("revision"));
    Ok(())
}
