//! What somebody put where the lock file belongs: it is not followed, and nobody is given it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use flags_core::{ErrorKind, Storage};

use crate::common::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
}

/// Its owner, group and mode.
fn access(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::metadata(path).expect("it is there");
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

async fn refused(fixture: &Fixture, what: &str) {
    let storage = fixture.open().await;
    let error = storage.commit(create("c")).await.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Denied, "{what}: {error}");
    let said = error.to_string();
    assert!(said.contains("flags.json.lock") && said.contains("remove it"), "{what}: {said}");
    assert_eq!(fixture.text(), two_flags(""), "{what}");
    assert_eq!(description(&storage).await, "", "{what}: reads need no lock");
}

#[tokio::test]
async fn a_link_is_refused_and_what_it_leads_to_stays_its_owners() {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, "nobody else's").expect("written");
    set_mode(&secret, 0o600);
    let before = access(&secret);
    for hard in [false, true] {
        let fixture = Fixture::written();
        set_mode(&fixture.path, 0o666);
        // By the administrator, who alone can: what is written belongs to somebody else.
        let _ = std::os::unix::fs::chown(&fixture.path, Some(12_345), Some(12_345));
        let lock = fixture.path.with_extension("json.lock");
        if hard {
            let beside = fixture.directory.path().join("secret");
            fs::write(&beside, "nobody else's").expect("written");
            set_mode(&beside, 0o600);
            fs::hard_link(&beside, &lock).expect("linked");
            refused(&fixture, "a second name of a file").await;
            assert_eq!(access(&beside), before);
        } else {
            symlink(&secret, &lock).expect("linked");
            refused(&fixture, "a link").await;
        }
        assert_eq!(access(&secret), before);
    }
}

#[tokio::test]
async fn a_link_that_leads_nowhere_creates_nothing() {
    let fixture = Fixture::written();
    let elsewhere = tempfile::tempdir().expect("a directory");
    let nothing = elsewhere.path().join("nothing");
    symlink(&nothing, fixture.path.with_extension("json.lock")).expect("linked");
    refused(&fixture, "a link").await;
    assert!(!nothing.exists());
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused() {
    let fixture = Fixture::written();
    let lock = fixture.path.with_extension("json.lock");
    fs::create_dir(&lock).expect("made");
    refused(&fixture, "a directory").await;
    fs::remove_dir(&lock).expect("removed");
    assert!(std::process::Command::new("mkfifo").arg(&lock).status().expect("mkfifo runs").success());
    refused(&fixture, "a pipe").await;

    fs::remove_file(&lock).expect("removed");
    fixture.open().await.commit(create("c")).await.expect("all is well");
}

/// It may have been any file, and was given its name by somebody who may rename it.
#[tokio::test]
async fn a_file_that_is_there_is_locked_and_not_changed() {
    let fixture = Fixture::written();
    set_mode(&fixture.path, 0o664);
    let lock = fixture.path.with_extension("json.lock");
    drop(File::create(&lock).expect("made"));
    set_mode(&lock, 0o600);
    let before = access(&lock);
    fixture.open().await.commit(create("c")).await.expect("committed");
    assert_eq!(access(&lock), before);

    fs::remove_file(&lock).expect("removed");
    fixture.open().await.commit(create("d")).await.expect("committed");
    assert_eq!(access(&lock), access(&fixture.path), "one that is made takes after the file");
}
