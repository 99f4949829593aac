//! An edit that went wrong: the last good state is served, and the edit is not destroyed.

use std::error::Error as _;
use std::fs;
use std::time::Duration;

use flags_core::storage::{Batch, Change, Expect};
use flags_core::{EntityId, EntityType, ErrorKind, Override, Storage};
use flags_file::FileStorage;
use futures_util::FutureExt as _;

use crate::common::*;

#[tokio::test]
async fn a_broken_edit_keeps_the_last_good_state_until_it_is_mended() {
    let fixture = Fixture::written();
    let storage = fixture.open().await;
    let mut watch = watch(&storage).await;
    let broken = two_flags("edited").replace("\"description\"", "\"description");
    for n in 0..2 {
        if n == 0 {
            fs::write(&fixture.path, &broken).expect("written");
        } else {
            // Half of it is there yet.
            fs::write(&fixture.path, &broken[..broken.len() - 20]).expect("written");
        }
        let text = fixture.text();
        assert_eq!(description(&storage).await, "", "the last good state");
        let warning = health(&storage).await.warnings.join("\n");
        assert!(warning.contains("line 4, column") && warning.contains("last good state"), "{warning}");
        for batch in [create("c"), Batch::new().check(key("a"), Expect::Present)] {
            let error = storage.commit(batch).await.expect_err("the edit would be destroyed");
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains("line 4, column"), "{error}");
            let why = error.source().expect("what the parser says").to_string();
            assert!(!why.contains("line"), "the place is said once: {why}");
        }
        assert_eq!(fixture.text(), text, "the edit stays as it is");
    }
    // Whoever serves the last good state is told that it may be old.
    assert_eq!(next(&mut watch).await, Change::Lost);
    let error = storage.watch().await.map(drop).expect_err("it would follow nothing");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    fs::write(&fixture.path, two_flags("mended")).expect("written");
    assert_eq!(next(&mut watch).await, Change::Resync);
    assert_eq!(description(&storage).await, "mended");
    assert_eq!(health(&storage).await.warnings, Vec::<String>::new());
    storage.commit(create("c")).await.expect("all is well");
    assert_eq!(next(&mut watch).await, Change::Changed(key("c")));
}

#[tokio::test]
async fn a_broken_file_is_not_opened() {
    let fixture = Fixture::new();
    for (text, place) in [("", "line 1, column 1"), ("{\n  \"version\": 1,\n  oops\n}", "line 3, column 3")] {
        fs::write(&fixture.path, text).expect("written");
        let error = FileStorage::open(&fixture.path).await.expect_err("a broken file");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains(place), "{error}");
        assert_eq!(fixture.text(), text);
    }
}

/// As a program leaves it for a moment that empties a file before it writes it.
#[tokio::test]
async fn an_empty_file_is_waited_for_when_it_is_opened() {
    let fixture = Fixture::new();
    // Again, where the machine is so busy that the moment was too short.
    until("it is opened", async || {
        fs::write(&fixture.path, "").expect("emptied");
        let mut opening = Box::pin(FileStorage::open(&fixture.path));
        assert!((&mut opening).now_or_never().is_none(), "it has begun");
        // So long it is empty; nothing waits for that.
        tokio::time::sleep(Duration::from_millis(20)).await;
        fs::write(&fixture.path, two_flags("written")).expect("written");
        match opening.await {
            Ok(storage) => description(&storage).await == "written",
            Err(_) => false,
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_an_empty_store() {
    let fixture = Fixture::written();
    let storage = fixture.open().await;
    let mut watch = watch(&storage).await;
    fs::remove_file(&fixture.path).expect("removed");
    assert_eq!(description(&storage).await, "");
    assert_eq!(next(&mut watch).await, Change::Lost);
    assert!(health(&storage).await.warnings.join("\n").contains("is gone"));
    let error = storage.commit(create("c")).await.expect_err("it would bring back what was removed");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!fixture.path.exists());
    fs::write(&fixture.path, two_flags("back")).expect("written");
    assert_eq!(next(&mut watch).await, Change::Resync);
    assert_eq!(description(&storage).await, "back");
    storage.commit(create("c")).await.expect("all is well");
}

#[tokio::test]
async fn one_corrupt_record_is_named_and_kept_to_the_byte() {
    let fixture = Fixture::new();
    let corrupt = "{\"flag_type\":   \"of a later version\",\n \"key\": \"z\"}";
    let twin = "{\"key\": \"twin\", \"name\": \"T\", \"flag_type\": \"boolean\", \"status\": \"active\", \"default_enabled\": true, \"id\": \"00000000-0000-4000-8000-00000000000a\"}";
    let text = two_flags("").replace("\n  ]", &format!(",\n{corrupt},\n{twin}\n  ]"));
    fs::write(&fixture.path, text).expect("written");
    let storage = fixture.open().await;
    let mut answers = storage.get(&[key("z"), key("a")]).await.expect("read");
    assert!(answers.pop().is_some_and(|a| a.is_ok_and(|a| a.is_some())));
    let error = answers.pop().expect("an answer").expect_err("corrupt");
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&key("z"))));
    let warnings = health(&storage).await.warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings.iter().any(|w| w.contains("flag:z, at line 5, column 1, cannot be read")),
        "{warnings:?}"
    );
    assert!(
        warnings.iter().any(|w| w.contains("flag:twin, at line 7, column 1, has the id of flag:a")),
        "{warnings:?}"
    );

    storage.commit(create("c")).await.expect("committed");
    assert!(fixture.text().contains(corrupt), "{}", fixture.text());
    // What an operator is told is where it is now.
    let told = health(&storage).await.warnings;
    assert_eq!(told.len(), 2);
    assert_ne!(told, warnings);
    assert_eq!(told, health(&fixture.open().await).await.warnings);

    let revision = error.revision().expect("a revision").clone();
    let gone = Batch::new().delete(key("z"), Expect::Revision(revision));
    storage.commit(gone).await.expect("a corrupt record can be deleted by its revision");
    assert!(!fixture.text().contains("later version"));
    assert_eq!(health(&storage).await.warnings.len(), 1, "what was mended is not told any more");
    storage.commit(Batch::new().delete(key("twin"), Expect::Present)).await.expect("deleted");
    assert_eq!(health(&storage).await.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn of_two_flags_with_one_id_every_opening_finds_the_same() {
    let fixture = Fixture::new();
    fs::write(&fixture.path, two_flags("").replace("00000000000b", "00000000000a")).expect("written");
    let (ours, theirs) = (fixture.open().await, fixture.open().await);
    let id = store(&ours).get_flag(&name("b")).await.expect("read").expect("the flag").id;
    let over = |entity: &str| {
        let entity = (EntityType::new("user").expect("a type"), EntityId::new(entity).expect("an id"));
        Override::new(id, entity.0, entity.1, true)
    };
    for holder in ["a", "b"] {
        for (n, storage) in [&ours, &theirs].into_iter().enumerate() {
            let found = store(storage).get_flag_by_id(id).await.expect("read").expect("a flag");
            assert_eq!(found.key.to_string(), holder);
            store(storage).create_override(over(&n.to_string())).await.expect("its flag is there");
        }
        store(&ours).delete_flag(&name(holder), None).await.expect("deleted");
    }
    for storage in [&ours, &theirs, &fixture.open().await] {
        assert!(store(storage).get_flag_by_id(id).await.expect("read").is_none());
    }
}
