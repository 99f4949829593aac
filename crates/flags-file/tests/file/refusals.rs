//! A file that cannot be used: which error, and that nothing changed.

use std::fs;
use std::time::Duration;

use flags_core::{ErrorKind, Storage};
use flags_file::FileStorage;

use crate::common::*;

async fn not_opened(path: impl Into<std::path::PathBuf>) -> (ErrorKind, String) {
    let error = FileStorage::open(path).await.expect_err("no such file can be");
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn what_is_no_file_is_not_opened() {
    let fixture = Fixture::written();
    let directory = fixture.directory.path();
    let (kind, said) = not_opened(directory.join("no/flags.json")).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(said.contains("create it"), "{said}");
    assert_eq!(not_opened(directory).await.0, ErrorKind::Unavailable);
    assert_eq!(not_opened(fixture.path.join("below")).await.0, ErrorKind::Unavailable);
    assert_eq!(not_opened("").await.0, ErrorKind::Invalid);
    assert_eq!(not_opened("flags/").await.0, ErrorKind::Invalid);
}

/// What never answers when it is read, or never ends.
#[cfg(unix)]
#[tokio::test]
async fn what_holds_no_document_is_not_read() {
    let fixture = Fixture::written();
    let directory = fixture.directory.path();
    let storage = fixture.open().await;
    let pipe = directory.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let endless = std::path::Path::new("/dev/zero");
    for path in [&*pipe, endless, directory] {
        let (kind, said) = not_opened(path).await;
        assert_eq!(kind, ErrorKind::Unavailable, "{path:?}: {said}");
        assert!(said.contains("put a regular file there"), "{path:?}: {said}");

        // And where the file was: the last good state is served.
        fs::rename(&fixture.path, directory.join("kept")).expect("moved away");
        std::os::unix::fs::symlink(path, &fixture.path).expect("linked");
        assert_eq!(description(&storage).await, "");
        let warnings = health(&storage).await.warnings.join("\n");
        assert!(warnings.contains("put a regular file there"), "{warnings}");
        let error = storage.commit(create("c")).await.expect_err("nothing to be replaced");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        fs::remove_file(&fixture.path).expect("removed");
        assert_eq!(description(&storage).await, "");
        fs::rename(directory.join("kept"), &fixture.path).expect("put back");
    }
    storage.commit(create("c")).await.expect("all is well");
}

#[tokio::test]
async fn a_directory_that_is_gone_makes_it_unavailable() {
    let fixture = Fixture::new();
    let directory = fixture.directory.path().join("sub");
    fs::create_dir(&directory).expect("made");
    let storage = FileStorage::open(directory.join("flags.json")).await.expect("opened");
    storage.commit(create("a")).await.expect("committed");
    fs::remove_dir_all(&directory).expect("removed");
    assert_eq!(storage.get(&[key("a")]).await.expect_err("gone").kind(), ErrorKind::Unavailable);
    assert_eq!(storage.commit(create("b")).await.expect_err("gone").kind(), ErrorKind::Unavailable);
    assert_eq!(storage.health().await.expect_err("gone").kind(), ErrorKind::Unavailable);
    assert_eq!(storage.watch().await.map(drop).expect_err("gone").kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_file_that_is_marked_as_read_only_is_not_written_by_anybody() {
    let fixture = Fixture::written();
    let mut permissions = fs::metadata(&fixture.path).expect("the file").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&fixture.path, permissions).expect("set");
    let storage = fixture.open().await;
    let error = storage.commit(create("c")).await.expect_err("read-only");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(fixture.text(), two_flags(""));
    assert_eq!(description(&storage).await, "");
}

#[tokio::test]
async fn a_lock_that_another_holds_is_waited_for_until_the_deadline() {
    let fixture = Fixture::written();
    let builder = FileStorage::builder(&fixture.path).deadline(Duration::from_millis(200));
    let storage = builder.open().await.expect("opened");
    let lock = fs::File::create(fixture.path.with_extension("json.lock")).expect("made");
    lock.lock().expect("locked");
    let error = storage.commit(create("c")).await.expect_err("locked");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(description(&storage).await, "", "reads need no lock");
    drop(lock);
    until("the lock is free", async || storage.commit(create("d")).await.is_ok()).await;
    let found = storage.get(&[key("c"), key("d")]).await.expect("read");
    let found: Vec<bool> = found.into_iter().map(|answer| answer.expect("readable").is_some()).collect();
    assert_eq!(found, [false, true], "what was unavailable was certainly not applied");
}

#[tokio::test]
async fn no_time_at_all_is_refused() {
    let fixture = Fixture::new();
    for (builder, field) in [
        (FileStorage::builder(&fixture.path).deadline(Duration::ZERO), "deadline"),
        (FileStorage::builder(&fixture.path).poll_interval(Duration::ZERO), "poll_interval"),
    ] {
        let error = builder.open().await.expect_err("no time");
        assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some(field)));
    }
}

#[tokio::test]
async fn all_the_time_in_the_world_is_fine() {
    let fixture = Fixture::written();
    let forever = FileStorage::builder(&fixture.path).deadline(Duration::MAX).poll_interval(Duration::MAX);
    let storage = forever.open().await.expect("opened");
    storage.commit(create("c")).await.expect("committed");
    let _watch = watch(&storage).await;
}

#[test]
fn outside_of_a_runtime_it_says_so() {
    let fixture = Fixture::written();
    let opened = futures_util::FutureExt::now_or_never(FileStorage::open(&fixture.path));
    let error = opened.expect("at once").expect_err("no runtime");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}
