//! What the file looks like: for people, and for their diffs.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use flags_core::storage::{Batch, Expect};
use flags_core::transfer::Document;
use flags_core::{EntityId, EntityType, ManualClock, Override, Storage, Timestamp};
use flags_file::FileStorage;

use crate::common::*;

/// Lines of the one that are not in the other.
fn only_in<'a>(one: &'a str, other: &str) -> Vec<&'a str> {
    one.lines().filter(|line| !other.lines().any(|theirs| theirs == *line)).collect()
}

#[tokio::test]
async fn a_commit_changes_the_lines_of_what_it_changes() {
    let fixture = Fixture::new();
    let storage = fixture.open().await;
    let flags = store(&storage);
    for key in ["b", "c", "a"] {
        flags.create_flag(flag(key)).await.expect("created");
    }
    let before = fixture.text();
    let document = Document::from_json(before.as_bytes()).expect("a document");
    assert_eq!(document.to_json().expect("its text"), before, "just what an export writes");
    flags
        .modify_flag(&name("b"), |flag| {
            flag.description = Some("new".into());
            Ok(())
        })
        .await
        .expect("modified");
    let after = fixture.text();
    let added = only_in(&after, &before);
    assert_eq!(added.len(), 2, "{added:?}");
    assert!(
        added[0].contains("\"description\": \"new\"") && added[1].contains("\"updated_at\""),
        "{added:?}"
    );
    flags.delete_flag(&name("b"), None).await.expect("deleted");
    assert_eq!(fixture.text().matches("\"rules\"").count(), 2);
    // With the lock beside it, and nothing else.
    assert_eq!(fixture.names(), ["flags.json", "flags.json.lock"]);
}

#[tokio::test]
async fn what_people_wrote_stays_as_they_wrote_it() {
    let fixture = Fixture::new();
    let text = two_flags("").replace("\"version\": 1,", "\"version\": 1, \"owners\": {\"team\":  [1e400]},");
    fs::write(&fixture.path, text).expect("written");
    let storage = fixture.open().await;
    let read = store(&storage).get_flag(&name("a")).await.expect("read").expect("the flag");
    // Writing what is there already writes nothing.
    let same = Batch::new().put(read.value().as_ref().clone(), Expect::Revision(read.revision().clone()));
    let before = fixture.text();
    let effects = storage.commit(same).await.expect("committed");
    assert_eq!(effects[0].after.as_ref(), Some(read.revision()));
    assert_eq!(fixture.text(), before);

    storage.commit(create("c")).await.expect("committed");
    let after = fixture.text();
    assert!(after.contains(
        r#"{"key": "a", "name": "A", "flag_type": "boolean", "status": "active", "default_enabled": false, "id": "00000000-0000-4000-8000-00000000000a", "metadata": {"n":   1.0}}"#
    ));
    assert!(after.contains("\"owners\": {\"team\":  [1e400]}"), "{after}");
}

#[tokio::test]
async fn what_has_expired_goes_with_the_next_commit() {
    let fixture = Fixture::new();
    let clock = ManualClock::at(Timestamp::now());
    let builder = FileStorage::builder(&fixture.path).clock(Arc::new(clock.clone()));
    let storage = builder.open().await.expect("opened");
    let owner = flag("a");
    let (kind, id) = (EntityType::new("user").expect("a type"), EntityId::new("ann").expect("an id"));
    let mut over = Override::new(owner.id, kind, id, true);
    over.expires_at = Some(clock.now_plus(60));
    storage
        .commit(Batch::new().put(owner, Expect::Absent).put(over, Expect::Absent))
        .await
        .expect("committed");
    assert!(fixture.text().contains("\"ann\""));
    clock.advance(Duration::from_secs(60));
    let before = fixture.text();
    storage.commit(Batch::new().check(key("a"), Expect::Present)).await.expect("committed");
    assert_eq!(fixture.text(), before, "a commit that changes nothing writes nothing");
    storage.commit(create("b")).await.expect("committed");
    assert!(!fixture.text().contains("\"ann\""), "{}", fixture.text());
}

/// As somebody pastes it who looked at the flag with `flags flag get --json`.
#[tokio::test]
async fn a_revision_that_was_pasted_is_no_part_of_the_flag() {
    let fixture = Fixture::new();
    fs::write(&fixture.path, two_flags("").replace("\"key\": \"b\"", "\"key\": \"b\", \"revision\": \"17\""))
        .expect("written");
    let storage = fixture.open().await;
    let flags = store(&storage);
    let read = flags.get_flag(&name("b")).await.expect("read").expect("the flag");
    assert!(read.value().extra.is_empty(), "{read:?}");
    let mut edit = read.value().as_ref().clone();
    edit.description = Some("edited".into());
    flags.update_flag(edit, Some(read.revision())).await.expect("updated");
    assert!(!fixture.text().contains("revision"), "{}", fixture.text());
}

/// As in `jq … flags.json > flags.json.tmp && mv flags.json.tmp flags.json`.
#[tokio::test]
async fn somebody_elses_draft_is_left_alone() {
    let fixture = Fixture::written();
    let storage = fixture.open().await;
    let theirs = fixture.directory.path().join("flags.json.tmp");
    fs::write(&theirs, two_flags("edited by jq")).expect("written");
    storage.commit(create("c")).await.expect("committed");
    assert_eq!(fixture.names(), ["flags.json", "flags.json.lock", "flags.json.tmp"]);
    fs::rename(&theirs, &fixture.path).expect("renamed");
    assert_eq!(description(&storage).await, "edited by jq");
}

trait NowPlus {
    fn now_plus(&self, seconds: u64) -> Timestamp;
}

impl NowPlus for ManualClock {
    fn now_plus(&self, seconds: u64) -> Timestamp {
        flags_core::Clock::now(self).saturating_add(Duration::from_secs(seconds))
    }
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let fixture = Fixture::written();
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o640)).expect("set");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let link = elsewhere.path().join("link.json");
    symlink(&fixture.path, &link).expect("linked");
    let storage = FileStorage::open(&link).await.expect("opened");
    storage.commit(create("c")).await.expect("committed");
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
    assert!(fixture.text().contains("\"c\""));
    for file in ["flags.json", "flags.json.lock"] {
        let metadata = fs::metadata(fixture.directory.path().join(file)).expect("the file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640, "{file}");
    }
    assert_eq!(
        fs::read_dir(elsewhere.path()).expect("a directory").count(),
        1,
        "the lock is beside the file"
    );

    // A link that leads nowhere yet.
    let dangling = elsewhere.path().join("dangling.json");
    symlink(fixture.directory.path().join("new.json"), &dangling).expect("linked");
    let storage = FileStorage::open(&dangling).await.expect("opened");
    storage.commit(create("c")).await.expect("committed");
    assert!(fixture.directory.path().join("new.json").exists());
}

#[tokio::test]
async fn it_shows_no_records_in_debug() {
    let fixture = Fixture::written();
    let storage = fixture.open().await;
    let shown = format!("{storage:?}");
    assert!(shown.contains("flags.json") && shown.len() < 200, "{shown}");
}
