//! The file of the last saved state, where it is not just a file.

#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Faulty, LONG, builder, put, text, text_flag, until, until_fresh};
use flags_client::{Client, Startup};
use flags_core::transfer::Document;
use flags_core::{ErrorKind, Result};

async fn start(storage: &Arc<Faulty>, path: &Path, deadline: Duration) -> Result<Client> {
    let startup = Startup::LastSaved { path: path.to_owned(), deadline };
    let starting = builder(storage).startup(startup).save_interval(Duration::from_millis(1)).start();
    tokio::time::timeout(LONG, starting).await.expect("it is not waited for")
}

/// A run that saves one flag.
async fn save(path: &Path) {
    let storage = Faulty::new();
    put(&*storage, text_flag("f", "1")).await;
    let client = start(&storage, path, LONG).await.expect("started");
    client.close().await;
    assert!(client.diagnostics().is_empty(), "{:?}", client.diagnostics());
}

fn flags_in(path: &Path) -> usize {
    let json = fs::read(path).expect("a file");
    Document::from_json(&json).expect("a document").flags.len()
}

#[tokio::test]
async fn a_link_stays_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let (link, file) = (folder.path().join("flags.json"), folder.path().join("volume/flags.json"));
    symlink("volume/flags.json", &link).expect("linked");
    fs::create_dir(folder.path().join("volume")).expect("a folder");
    for is_there in [false, true] {
        assert_eq!(file.exists(), is_there);
        save(&link).await;
        assert!(link.symlink_metadata().expect("it is there").is_symlink());
        assert_eq!(flags_in(&file), 1);
    }
    let storage = Faulty::new();
    storage.set(&storage.reads_fail, true);
    let client = start(&storage, &link, LONG).await.expect("started");
    assert_eq!(text(&client, "f"), "1", "it is read through the link too");
}

#[tokio::test]
async fn whoever_may_read_the_file_still_may() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flags.json");
    let mode = || fs::metadata(&path).expect("a file").permissions().mode() & 0o7777;
    save(&path).await;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
    save(&path).await;
    assert_eq!(mode(), 0o644);
}

#[tokio::test]
async fn a_pipe_is_neither_waited_for_nor_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flags.json");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    let is_a_pipe = || fs::symlink_metadata(&path).expect("it is there").file_type().is_fifo();

    let storage = Faulty::new();
    storage.set(&storage.reads_fail, true);
    let error = start(&storage, &path, Duration::from_millis(20)).await.expect_err("nothing to serve");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Unavailable, Some("start")));
    assert!(error.to_string().contains("flags.json is no regular file"), "{error}");

    // A store that is well and has no flag yet; and once it has.
    let storage = Faulty::new();
    let client = start(&storage, &path, LONG).await.expect("started");
    until_fresh(&client).await;
    let reason = || client.diagnostics().file.map(|error| error.to_string()).unwrap_or_default();
    assert!(reason().contains("no regular file"), "{}", reason());
    put(&*storage, text_flag("f", "1")).await;
    until("the flag", || text(&client, "f") == "1").await;
    client.close().await;
    assert!(is_a_pipe() && reason().contains("no regular file"), "{}", reason());
}
