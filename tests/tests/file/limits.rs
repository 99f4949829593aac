//! What the operating system refuses: writing past a limit, as on a full disk, and another user's files.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use flags_core::Storage as _;
use flags_core::storage::{Batch, Expect};
use flags_core::{Flag, FlagKey};
use flags_file::FileStorage;

async fn write(path: &Path, prefix: &str, flags: usize) -> Result<String> {
    let storage = FileStorage::open(path).await?;
    let mut batch = Batch::new();
    for n in 0..flags {
        batch = batch.put(Flag::new(FlagKey::new(format!("{prefix}{n}"))?), Expect::Any);
    }
    storage.commit(batch).await?;
    Ok(fs::read_to_string(path)?)
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(directory)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// A writer ended because it could not write: with that kind of error.
fn ended_with(kind: &str, output: &Output) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success() && said.contains(&format!("kind: {kind}")),
        "expected {kind}: {output:?}"
    );
    ensure!(!String::from_utf8_lossy(&output.stdout).contains("reached"), "{output:?}");
    Ok(())
}

/// The file may not grow past some kilobytes: as on a full disk, a part of it is written and then no more.
#[tokio::test]
async fn a_disk_that_is_full_leaves_the_old_state() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("flags.json");
    let before = write(&path, "f", 200).await?;
    let script = "trap '' XFSZ; ulimit -f 20; exec \"$0\" \"file:$1\"";
    let output = Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_walker")]).arg(&path).output()?;
    ended_with("unavailable", &output)?;
    ensure!(fs::read_to_string(&path)? == before, "the old state is kept");
    ensure!(names(directory.path())? == ["flags.json", "flags.json.lock"], "no draft is left");
    write(&path, "g", 200).await.context("and the next writer is unaffected")?;
    Ok(())
}

/// Runs the walker as a user who owns nothing here. An administrator may become one; anybody else is one
/// already, of files whose permissions were taken away.
#[cfg(unix)]
fn as_nobody(walker: &Path, path: &Path) -> Result<Output> {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(walker);
    command.arg(format!("file:{}", path.display()));
    if is_root()? {
        command.uid(65534).gid(65534);
    }
    Ok(command.output()?)
}

#[cfg(unix)]
#[tokio::test]
async fn whoever_has_no_permission_is_denied_and_changes_nothing() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    let directory = tempfile::tempdir()?;
    mode(directory.path(), 0o755)?;
    // The target directory may be closed to others.
    let walker = directory.path().join("walker");
    fs::copy(env!("CARGO_BIN_EXE_walker"), &walker)?;
    mode(&walker, 0o755)?;
    let place = directory.path().join("place");
    fs::create_dir(&place)?;
    let path = place.join("flags.json");
    let before = write(&path, "f", 1).await?;
    // (the directory, the file, what is refused)
    for (of_directory, of_file, refused) in [
        (0o555, 0o444, "a directory that may not be written"),
        (0o755, 0o000, "a file that may not be read"),
        (0o700, 0o644, "a directory that may not be entered"),
        (0o555, 0o666, "a directory in which no draft can be made"),
    ] {
        // Of whom the files are is who runs the tests; without an administrator's powers that is the writer
        // too.
        mode(&path, of_file)?;
        mode(&place, if of_directory == 0o700 && !is_root()? { 0o000 } else { of_directory })?;
        let output = as_nobody(&walker, &path)?;
        ended_with("denied", &output).context(refused)?;
        mode(&place, 0o755)?;
        mode(&path, 0o644)?;
        ensure!(fs::read_to_string(&path)? == before, "{refused}: the file changed");
    }
    Ok(())
}

/// What the directory gives a new file is another group than that of the file; and only an
/// administrator may give a file away.
#[cfg(unix)]
#[tokio::test]
async fn users_who_share_a_file_by_its_group_do_not_lock_each_other_out() -> Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;
    let [ann, bob, team, others] = [61_001, 61_002, 61_003, 61_004];
    if !is_root()? {
        println!("only an administrator can be several users");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
    let counter = directory.path().join("counter");
    fs::copy(env!("CARGO_BIN_EXE_counter"), &counter)?;
    let place = directory.path().join("place");
    let path = place.join("flags.json");
    let lock = place.join("flags.json.lock");
    // (the mode of the file, the group of who writes it, the mode that it has then)
    for (mode, group, then) in [(0o660, team, 0o660), (0o666, others, 0o606)] {
        fs::create_dir(&place)?;
        chown(&place, None, Some(others))?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o2777))?;
        let flag = Flag::new(FlagKey::new("count")?);
        FileStorage::open(&path).await?.commit(Batch::new().put(flag, Expect::Absent)).await?;
        for file in [&path, &lock] {
            chown(file, Some(ann), Some(team))?;
            fs::set_permissions(file, fs::Permissions::from_mode(mode))?;
        }
        let writes = |user: u32, group: u32| -> Result<()> {
            let output = Command::new(&counter).arg(&path).args(["1", "3"]).uid(user).gid(group).output()?;
            ensure!(output.status.success(), "{user} cannot write it: {output:?}");
            Ok(())
        };
        writes(bob, group)?;
        let metadata = fs::metadata(&path)?;
        ensure!(metadata.uid() == bob, "{metadata:?}");
        ensure!(metadata.gid() == group, "the group is {}", metadata.gid());
        ensure!(metadata.mode() & 0o777 == then, "{:o}", metadata.mode());
        writes(ann, team)?;
        fs::remove_dir_all(&place)?;
    }
    Ok(())
}

#[cfg(unix)]
fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}
