//! Every way in which a file is edited from outside is seen by a watch, record by record.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use flags_core::Storage;
use flags_core::storage::{BoxStream, Change};
use flags_file::FileStorage;

use crate::common::*;

/// A watch sees an edit that nobody reads: flag `b` and nothing else.
async fn sees(storage: &FileStorage, edit: impl FnOnce(&str)) {
    let mut watch = watch(storage).await;
    edit("edited");
    sees_change(&mut watch).await;
    assert_eq!(description(storage).await, "edited");
}

async fn sees_change(watch: &mut BoxStream<'static, Change>) {
    match next(watch).await {
        // On a machine so slow that the edit was half done for long.
        Change::Lost => assert_eq!(next(watch).await, Change::Resync),
        change => assert_eq!(change, Change::Changed(key("b"))),
    }
}

#[tokio::test]
async fn an_editor_that_renames() {
    let fixture = Fixture::written();
    let storage = fixture.open().await;
    sees(&storage, |new| save_by_rename(&fixture.path, &two_flags(new))).await;
}

#[tokio::test]
async fn an_editor_that_writes_in_place() {
    let fixture = Fixture::written();
    let storage = fixture.open().await;
    sees(&storage, |new| fs::write(&fixture.path, two_flags(new)).expect("written")).await;
}

#[tokio::test]
async fn an_editor_that_moves_the_old_file_away_first() {
    let fixture = Fixture::written();
    let storage = fixture.open().await;
    sees(&storage, |new| {
        fs::rename(&fixture.path, fixture.directory.path().join("flags.json~")).expect("renamed");
        fs::write(&fixture.path, two_flags(new)).expect("written");
    })
    .await;
}

#[tokio::test]
async fn a_checkout_of_git() {
    let fixture = Fixture::new();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(fixture.directory.path()).args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
        ]);
        let output = git.args(args).output().expect("git runs");
        assert!(output.status.success(), "git {args:?}: {output:?}");
    };
    git(&["init", "-q", "-b", "edited"]);
    fs::write(&fixture.path, two_flags("edited")).expect("written");
    git(&["add", "."]);
    git(&["commit", "-qm", "edited"]);
    git(&["checkout", "-qb", "plain"]);
    fs::write(&fixture.path, two_flags("")).expect("written");
    git(&["commit", "-qam", "plain"]);
    let storage = fixture.open().await;
    sees(&storage, |branch| git(&["checkout", "-q", branch])).await;
}

/// As Kubernetes mounts it: `flags.json -> ..data/flags.json`, `..data -> ..1`, and a new `..data` is renamed
/// over the old one.
#[cfg(unix)]
#[tokio::test]
async fn the_swap_of_a_mounted_config_map() {
    use std::os::unix::fs::symlink;
    let fixture = Fixture::new();
    let mount = fixture.directory.path();
    let version = |name: &str, text: &str| {
        fs::create_dir(mount.join(name)).expect("made");
        fs::write(mount.join(name).join("flags.json"), text).expect("written");
        symlink(name, mount.join("..data_tmp")).expect("linked");
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).expect("renamed");
    };
    version("..1", &two_flags(""));
    symlink("..data/flags.json", &fixture.path).expect("linked");
    let storage = fixture.open().await;
    sees(&storage, |new| {
        version("..2", &two_flags(new));
        fs::remove_dir_all(mount.join("..1")).expect("removed");
    })
    .await;
    // And once more, now that the links lead elsewhere.
    sees_again(&storage, || version("..3", &two_flags("again"))).await;
}

#[cfg(unix)]
async fn sees_again(storage: &FileStorage, edit: impl FnOnce()) {
    let mut watch = watch(storage).await;
    edit();
    sees_change(&mut watch).await;
    assert_eq!(description(storage).await, "again");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_a_release_that_is_switched() {
    use std::os::unix::fs::symlink;
    let fixture = Fixture::new();
    let root = fixture.directory.path();
    for (release, text) in [("1", two_flags("")), ("2", two_flags("edited"))] {
        fs::create_dir(root.join(release)).expect("made");
        fs::write(root.join(release).join("flags.json"), text).expect("written");
    }
    symlink("1", root.join("current")).expect("linked");
    let storage = FileStorage::open(root.join("current/flags.json")).await.expect("opened");
    sees(&storage, |_| {
        symlink("2", root.join("next")).expect("linked");
        fs::rename(root.join("next"), root.join("current")).expect("renamed");
    })
    .await;
}

#[tokio::test]
async fn a_file_system_that_tells_nothing() {
    let fixture = Fixture::written();
    let polling = FileStorage::builder(&fixture.path).poll_interval(Duration::from_millis(5));
    let storage = polling.open().await.expect("opened");
    sees(&storage, |new| save_by_rename(&fixture.path, &two_flags(new))).await;
    assert!(format!("{:?}", health(&storage).await).contains("polling"));
}

#[tokio::test]
async fn a_directory_that_goes_and_comes_back() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path().join("sub");
    let write = |text: &str| {
        fs::create_dir(&directory).expect("made");
        fs::write(directory.join("flags.json"), text).expect("written");
    };
    write(&two_flags(""));
    let storage = FileStorage::open(directory.join("flags.json")).await.expect("opened");
    let mut watch = watch(&storage).await;
    fs::remove_dir_all(&directory).expect("removed");
    // Between the file and its directory a look may find the one gone and the other there.
    assert_eq!(next(&mut watch).await, Change::Lost);
    write(&two_flags("edited"));
    assert_eq!(next(&mut watch).await, Change::Resync);
    assert_eq!(description(&storage).await, "edited");
    save_by_rename(&directory.join("flags.json"), &two_flags("later"));
    // What was restored may be reported too.
    until("the edit after it came back", async || description(&storage).await == "later").await;
    assert_eq!(next(&mut watch).await, Change::Changed(key("b")));
}

#[tokio::test]
async fn another_opening_and_a_file_that_is_made_later() {
    let fixture = Fixture::new();
    let (ours, theirs) = (fixture.open().await, fixture.open().await);
    let mut watch = watch(&ours).await;
    theirs.commit(create("a")).await.expect("committed");
    assert_eq!(next(&mut watch).await, Change::Changed(key("a")));
    ours.commit(create("b")).await.expect("committed");
    assert_eq!(next(&mut watch).await, Change::Changed(key("b")));
    drop(ours);
    // The thread held nothing that keeps the store alive; the watch ends with it.
    let ended = tokio::time::timeout(BOUND, futures_util::StreamExt::next(&mut watch)).await;
    assert_eq!(ended.expect("in time"), None);
}

/// Edits in place that leave the same length behind, within one tick of the clock that stamps
/// files; some set the time of the last change back, as `cp -p` and `rsync --inplace -t` do.
#[tokio::test]
async fn edits_that_leave_no_trace_in_the_times() {
    let fixture = Fixture::written();
    let storage = fixture.open().await;
    let old = SystemTime::now() - Duration::from_secs(3600);
    for round in 0..400 {
        let new = format!("edit {round:03}");
        fs::write(&fixture.path, two_flags(&new)).expect("written");
        if round >= 200 {
            let file = fs::File::options().write(true).open(&fixture.path).expect("opened");
            file.set_modified(old).expect("set");
        }
        assert_eq!(description(&storage).await, new);
    }
}
