//! Export and import: verbatim, resumable, and nothing written when the document is wrong.

use std::sync::Arc;
use std::time::Duration;

use flags_core::storage::{Capability, Change, Limits, Storage as _};
use flags_core::transfer::{Document, ImportAction, ImportMode, ImportPlan};
use flags_core::{
    ChangeType, EntityId, EntityType, ErrorKind, Flag, FlagId, FlagKey, FlagStore, Key, ManualClock,
    Override, Record, RolloutPhase, ScheduledChange, Segment, SegmentName, SystemClock, Timestamp,
};
use flags_memory::MemoryStorage;
use futures_util::{FutureExt as _, StreamExt as _};

fn store() -> FlagStore {
    FlagStore::new(Arc::new(MemoryStorage::new()))
}

fn flag(key: &str) -> Flag {
    Flag::new(FlagKey::new(key).expect("a key"))
}

fn segment(name: &str) -> Segment {
    Segment::new(SegmentName::new(name).expect("a name"))
}

fn override_of(flag: &Flag, who: &str) -> Override {
    Override::new(flag.id, EntityType::new("user").expect("a type"), EntityId::new(who).expect("an id"), true)
}

fn document(flags: &[&Flag], overrides: &[&Override], segments: &[&Segment]) -> Document {
    let mut document = Document::default();
    document.flags.extend(flags.iter().map(|f| (*f).clone()));
    document.overrides.extend(overrides.iter().map(|o| (*o).clone()));
    document.segments.extend(segments.iter().map(|s| (*s).clone()));
    document
}

async fn exported(store: &FlagStore) -> Document {
    let export = store.export().await.expect("exported");
    assert!(export.corrupt.is_empty() && export.orphans.is_empty(), "{export:?}");
    export.document
}

#[tokio::test]
async fn what_is_scheduled_is_imported_in_order_of_time_since_a_scheduler_may_be_at_work() {
    let one = flag("a");
    let at = |seconds| Timestamp::from_unix_micros(seconds * 1_000_000).expect("in range");
    let mut all = document(&[&one], &[], &[&segment("s")]);
    for second in (0..40).rev() {
        let change = ScheduledChange::new(one.id, ChangeType::Enable, at(2 * second));
        all.scheduled_changes.push(change);
        all.rollout_phases.push(RolloutPhase::new(one.id, second, 50, at(2 * second + 1)));
    }
    let mut limits = Limits::default();
    limits.batch_ops = 1;
    let storage = MemoryStorage::with_clock_and_limits(Arc::new(SystemClock), limits);
    let mut watch = storage.watch().await.expect("a watch");
    assert_eq!(watch.next().await, Some(Change::Resync));
    FlagStore::new(Arc::new(storage.clone())).import(&all, ImportMode::Merge).await.expect("imported");
    let mut order = Vec::new();
    while let Some(Some(change)) = watch.next().now_or_never() {
        let Change::Changed(key) = change else { continue };
        let stored = storage.get(&[key]).await.expect("read").remove(0).expect("readable").expect("there");
        match stored.record {
            Record::ScheduledChange(change) => order.push(change.scheduled_at),
            Record::RolloutPhase(phase) => order.push(phase.scheduled_at),
            _ => assert!(order.is_empty(), "the others come first"),
        }
    }
    assert_eq!(order, (0..80).map(at).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_import_is_cut_by_size_too() {
    let large = |n: usize| {
        let mut flag = flag(&format!("f{n}"));
        flag.description = Some("x".repeat(1_000_000));
        flag
    };
    // More than one commit of any store holds, though they are few.
    let flags: Vec<Flag> = (0..40).map(large).collect();
    let mut all = document(&flags.iter().collect::<Vec<_>>(), &[], &[]);
    let store = store();
    let report = store.import(&all, ImportMode::Merge).await.expect("imported");
    assert_eq!((report.created, report.updated), (40, 0));
    assert_eq!(store.get_all_flags().await.expect("read").len(), 40);
    // What no commit holds is refused by its name.
    let mut larger = flag("larger");
    larger.description = Some("x".repeat(2_000_000));
    all.flags.push(larger);
    let error = store.import(&all, ImportMode::Merge).await.expect_err("too large");
    assert_eq!(
        (error.kind(), error.key().map(ToString::to_string)),
        (ErrorKind::Invalid, Some("flag:larger".into()))
    );
}

#[tokio::test]
async fn a_store_goes_through_json_and_comes_back_byte_for_byte() {
    let first = store();
    let mut a = flag("a");
    a.metadata = r#"{"big": 1180591620717411303424, "huge": 1e400}"#.parse().expect("JSON");
    a.extra.insert("novel", "-0.0".parse().expect("JSON"));
    first.create_flag(a.clone()).await.expect("created");
    first.create_override(override_of(&a, "ann")).await.expect("created");
    first.create_segment(segment("staff")).await.expect("created");
    let json = exported(&first).await.to_json().expect("JSON");
    assert!(
        json.contains("1180591620717411303424") && json.contains("1e400") && json.contains("-0.0"),
        "{json}"
    );

    let second = store();
    let read = Document::from_json(json.as_bytes()).expect("a document");
    let report = second.import(&read, ImportMode::Merge).await.expect("imported");
    assert_eq!((report.created, report.updated, report.deleted, report.unchanged), (3, 0, 0, 0));
    assert_eq!(exported(&second).await.to_json().expect("JSON"), json);
    let again = second.import(&read, ImportMode::Replace).await.expect("imported");
    assert_eq!((again.created, again.updated, again.deleted, again.unchanged), (0, 0, 0, 3));
}

#[tokio::test]
async fn merge_keeps_what_the_document_does_not_hold_and_replace_does_not() {
    let (kept, mut changed, new) = (flag("kept"), flag("changed"), flag("new"));
    for mode in [ImportMode::Merge, ImportMode::Replace] {
        let store = store();
        store.create_flag(kept.clone()).await.expect("created");
        store.create_override(override_of(&kept, "ann")).await.expect("created");
        store.create_flag(changed.clone()).await.expect("created");
        changed.tags = vec!["changed".into()];
        let document = document(&[&changed, &new], &[], &[]);

        let plan = store.plan_import(&document, mode).await.expect("planned");
        let before = exported(&store).await;
        assert_eq!(exported(&store).await, before, "a dry run changes nothing");
        let actions = |action| plan.with_action(action).map(|d| d.key.to_string()).collect::<Vec<_>>();
        assert_eq!(actions(ImportAction::Create), ["flag:new"]);
        assert_eq!(actions(ImportAction::Update), ["flag:changed"]);

        let report = store.import(&document, mode).await.expect("imported");
        assert_eq!((report.created, report.updated), (1, 1));
        let left: Vec<_> =
            store.get_all_flags().await.expect("read").iter().map(|f| f.key.to_string()).collect();
        if mode == ImportMode::Merge {
            assert_eq!(left, ["changed", "kept", "new"]);
        } else {
            assert_eq!(left, ["changed", "new"]);
            assert_eq!(exported(&store).await.records().count(), 2, "the override went with its flag");
        }
        assert!(store.plan_import(&document, mode).await.expect("planned").is_empty());
    }
}

#[tokio::test]
async fn a_flag_under_another_id_is_refused_when_merging_and_made_anew_when_replacing() {
    let (theirs, ours) = (flag("k"), flag("k"));
    let store = store();
    store.create_flag(theirs.clone()).await.expect("created");
    store.create_override(override_of(&theirs, "ann")).await.expect("created");
    let override_ = override_of(&ours, "bob");
    let document = document(&[&ours], &[&override_], &[]);
    let refused = store.import(&document, ImportMode::Merge).await.expect_err("the id is bound");
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::Conflict, Some("id")));
    assert_eq!(store.get_flag(&ours.key).await.expect("read").expect("there").id, theirs.id);

    store.import(&document, ImportMode::Replace).await.expect("imported");
    assert_eq!(exported(&store).await, document);
}

#[tokio::test]
async fn names_and_ids_can_change_hands() {
    let (mut a, mut b) = (segment("a"), segment("b"));
    for mode in [ImportMode::Merge, ImportMode::Replace] {
        let store = store();
        store.import(&document(&[], &[], &[&a, &b]), mode).await.expect("imported");
        (a.name, b.name) = (b.name, a.name);
        let mut swapped = document(&[], &[], &[&a, &b]);
        swapped.segments.sort_by_key(|segment| segment.id);
        store.import(&swapped, mode).await.expect("imported");
        assert_eq!(exported(&store).await, swapped);
    }
    let (old, mut new) = (flag("old"), flag("new"));
    new.id = old.id;
    let store = store();
    store.create_flag(old.clone()).await.expect("created");
    let document = document(&[&new], &[], &[]);
    assert_eq!(
        store.import(&document, ImportMode::Merge).await.expect_err("taken").kind(),
        ErrorKind::Conflict
    );
    store.import(&document, ImportMode::Replace).await.expect("imported");
    assert_eq!(exported(&store).await, document);
}

#[tokio::test]
async fn a_wrong_document_is_refused_before_anything_is_written() {
    let (a, orphan) = (flag("a"), override_of(&flag("nowhere"), "ann"));
    let mut twin = flag("twin");
    twin.id = a.id;
    for (document, kind) in [
        (document(&[&a], &[&orphan], &[]), ErrorKind::NotFound),
        (document(&[&a, &a], &[], &[]), ErrorKind::Invalid),
        (document(&[&a, &twin], &[], &[]), ErrorKind::Invalid),
    ] {
        let store = store();
        for mode in [ImportMode::Merge, ImportMode::Replace] {
            let refused = store.import(&document, mode).await.expect_err("wrong");
            assert_eq!((refused.kind(), refused.operation()), (kind, Some("import")), "{refused}");
            assert!(refused.key().is_some());
        }
        assert!(exported(&store).await.is_empty());
    }
}

#[test]
fn what_is_no_document_names_the_member() {
    for (json, member) in [
        (r#"{"version":1,"flags":[{"key":3}]}"#, "flags[0].key"),
        (r#"{"version":2}"#, "version"),
        (r#"{}"#, ""),
        (r#"{"version":1} x"#, ""),
        ("[]", ""),
    ] {
        let error = Document::from_json(json.as_bytes()).expect_err(json);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(error.field().unwrap_or_default(), member, "{json}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[tokio::test]
async fn expired_overrides_are_not_brought_back() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Arc::new(MemoryStorage::with_clock(Arc::new(clock.clone())));
    let store = FlagStore::new(storage).with_clock(Arc::new(clock.clone()));
    let a = flag("a");
    let mut brief = override_of(&a, "ann");
    brief.expires_at = Some(Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(1)));
    let document = document(&[&a], &[&brief], &[]);
    store.import(&document, ImportMode::Merge).await.expect("imported");
    assert_eq!(exported(&store).await.overrides.len(), 1);
    clock.advance(Duration::from_secs(1));
    let plan = store.plan_import(&document, ImportMode::Merge).await.expect("planned");
    assert_eq!(plan.with_action(ImportAction::Skip).count(), 1);
    store.import(&document, ImportMode::Merge).await.expect("imported");
    assert_eq!(exported(&store).await.overrides.len(), 0);
}

#[tokio::test]
async fn large_documents_go_in_chunks_and_large_flags_are_deleted_in_batches() {
    let mut limits = Limits::default();
    (limits.batch_ops, limits.owned_per_delete) = (10, 25);
    let storage = Arc::new(MemoryStorage::with_clock_and_limits(Arc::new(SystemClock), limits));
    assert!(flags_core::Storage::descriptor(&storage).has(Capability::Watch));
    let store = FlagStore::new(storage);
    let a = flag("a");
    let overrides: Vec<Override> = (0..95).map(|n| override_of(&a, &n.to_string())).collect();
    let document = document(&[&a], &overrides.iter().collect::<Vec<_>>(), &[]);
    let report = store.import(&document, ImportMode::Replace).await.expect("imported");
    assert_eq!(report.created, 96);

    let refused = store.delete_flag(&a.key, Some(&"stale".parse().expect("text"))).await.expect_err("stale");
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(exported(&store).await.len(), 96, "a refused delete removes nothing");
    assert!(store.delete_flag(&a.key, None).await.expect("deleted"));
    assert!(exported(&store).await.is_empty());
}

#[tokio::test]
async fn a_corrupt_record_is_reported_beside_the_export_and_replaced_by_an_import() {
    let storage = MemoryStorage::new();
    let store = FlagStore::new(Arc::new(storage.clone()));
    let (good, bad) = (flag("good"), flag("bad"));
    store.create_flag(good.clone()).await.expect("created");
    storage.insert_raw(&Key::Flag(bad.key.clone()), b"{").expect("planted");
    let export = store.export().await.expect("exported");
    assert_eq!((export.document.len(), export.corrupt.len()), (1, 1));
    assert_eq!(export.corrupt[0].key(), Some(&Key::Flag(bad.key.clone())));
    let report = store.import(&document(&[&bad], &[], &[]), ImportMode::Merge).await.expect("imported");
    assert_eq!(report.updated, 1);
    assert_eq!(exported(&store).await.len(), 2);
    let _: FlagId = bad.id;
}

#[tokio::test]
async fn a_flag_that_gets_another_key_keeps_what_it_owns() {
    let store = store();
    let mut a = flag("a");
    store.create_flag(a.clone()).await.expect("created");
    for who in ["ann", "bob"] {
        store.create_override(override_of(&a, who)).await.expect("created");
    }
    let mut renamed = exported(&store).await;
    a.key = FlagKey::new("b").expect("a key");
    renamed.flags[0].key = a.key.clone();
    let report = store.import(&renamed, ImportMode::Replace).await.expect("imported");
    assert_eq!(exported(&store).await, renamed);
    assert!(store.plan_import(&renamed, ImportMode::Replace).await.expect("planned").is_empty());
    assert_eq!((report.created, report.deleted, report.unchanged), (3, 1, 0));
}

#[tokio::test]
async fn orphans_are_beside_the_export_so_that_every_export_can_be_imported() {
    let storage = MemoryStorage::new();
    let store = FlagStore::new(Arc::new(storage.clone()));
    let (a, gone) = (flag("a"), flag("gone"));
    store.create_flag(a.clone()).await.expect("created");
    let orphan = Record::from(override_of(&gone, "ann"));
    storage.insert_raw(&orphan.key(), &orphan.encode().expect("it encodes")).expect("planted");
    let export = store.export().await.expect("exported");
    assert_eq!(export.orphans, [orphan]);
    assert!(store.plan_import(&export.document, ImportMode::Merge).await.expect("planned").is_empty());
}

#[tokio::test]
async fn planning_a_large_import_takes_no_time_to_speak_of() {
    let a = flag("owner");
    let flags: Vec<Flag> = (0..5_000).map(|n| flag(&n.to_string())).collect();
    let overrides: Vec<Override> = (0..5_000).map(|n| override_of(&a, &n.to_string())).collect();
    let mut document = document(&[&a], &[], &[]);
    document.flags.extend(flags);
    document.overrides = overrides;
    let store = store();
    store.import(&document, ImportMode::Merge).await.expect("imported");
    // A plan that looks through the store for each record would be at it for a minute.
    let plan =
        tokio::time::timeout(Duration::from_secs(20), store.plan_import(&document, ImportMode::Merge)).await;
    assert!(plan.expect("in time").expect("planned").is_empty());
}

/// A store of three flags, and the plan that puts a document with one of them, changed, and a new one in its
/// place.
async fn planned() -> (FlagStore, [Flag; 3], Document, ImportPlan) {
    let store = store();
    let flags = ["a", "b", "c"].map(flag);
    for flag in &flags {
        store.create_flag(flag.clone()).await.expect("created");
    }
    let (mut changed, new) = (flags[0].clone(), flag("new"));
    changed.description = Some("changed".into());
    let document = document(&[&changed, &new], &[], &[]);
    let plan = store.plan_import(&document, ImportMode::Replace).await.expect("planned");
    (store, flags, document, plan)
}

#[tokio::test]
async fn a_plan_is_applied_as_it_was_shown() {
    let (store, _, document, plan) = planned().await;
    // Written since, and in no plan: an import would delete it.
    let since = flag("since");
    store.create_flag(since.clone()).await.expect("created");
    let report = store.apply_import(&plan).await.expect("applied");
    assert_eq!((report.created, report.updated, report.deleted, report.unchanged), (1, 1, 2, 0));
    let left: Vec<String> =
        store.get_all_flags().await.expect("read").iter().map(|f| f.key.to_string()).collect();
    assert_eq!(left, ["a", "new", "since"]);
    assert_eq!(exported(&store).await.flags[0], document.flags[0]);
    assert_eq!(store.import(&document, ImportMode::Replace).await.expect("imported").deleted, 1);
}

#[tokio::test]
async fn a_plan_for_what_has_changed_is_a_conflict_and_changes_nothing() {
    let key = |key| FlagKey::new(key).expect("a key");
    for what in ["a is changed", "c is changed", "a is deleted", "new is created"] {
        let (store, _, _, plan) = planned().await;
        let (name, done) = what.split_once(" is ").expect("two halves");
        match done {
            "changed" => {
                let edit = |flag: &mut Flag| {
                    flag.name = "another".into();
                    Ok(())
                };
                store.modify_flag(&key(name), edit).await.map(drop).expect("modified");
            }
            "deleted" => assert!(store.delete_flag(&key(name), None).await.expect("deleted")),
            _ => drop(store.create_flag(flag(name)).await.expect("created")),
        }
        let before = exported(&store).await;
        let refused = store.apply_import(&plan).await.expect_err("it is another store");
        assert_eq!((refused.kind(), refused.operation()), (ErrorKind::Conflict, Some("apply_import")));
        assert_eq!(refused.key(), Some(&Key::Flag(key(name))), "{what}: {refused}");
        assert!(refused.is_stale());
        assert_eq!(exported(&store).await, before, "{what}");
    }
}

#[tokio::test]
async fn a_plan_minds_no_deletion_of_what_it_deletes_and_moves_aliases() {
    let (store, flags, document, plan) = planned().await;
    store.delete_flag(&flags[1].key, None).await.expect("deleted");
    assert_eq!(store.apply_import(&plan).await.expect("applied").deleted, 1);
    assert_eq!(exported(&store).await, document);

    // A flag under another key, with what it owns, which goes with the old one and is written anew.
    let owned = override_of(&document.flags[0], "ann");
    store.create_override(owned).await.expect("created");
    let mut renamed = exported(&store).await;
    renamed.flags[0].key = FlagKey::new("z").expect("a key");
    renamed.flags.sort_by(|a, b| a.key.cmp(&b.key));
    let plan = store.plan_import(&renamed, ImportMode::Replace).await.expect("planned");
    store.apply_import(&plan).await.expect("applied");
    assert_eq!(exported(&store).await, renamed);
    assert!(store.plan_import(&renamed, ImportMode::Replace).await.expect("planned").is_empty());
}

#[test]
fn a_document_may_have_a_mark_and_printed_records() {
    let mut one = document(&[&flag("a")], &[], &[&segment("s")]);
    one.overrides.push(override_of(&one.flags[0], "ann"));
    let text = one.to_json().expect("a document");
    let printed = text.replace("\n    {", "\n    {\"revision\": \"17\",");
    assert_eq!(printed.matches("revision").count(), 3);
    let read = Document::from_json(format!("\u{feff}{printed}").as_bytes()).expect("a document");
    assert_eq!(read, one);
    assert!(Document::from_json("\u{feff}\u{feff}{}".as_bytes()).is_err());
}
