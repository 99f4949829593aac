//! The operations, each with what it is called. What they answer is compared as `Debug` shows it.

use flags_core::storage::{Batch, Expect};
use flags_core::store::Pending;
use flags_core::transfer::{Document, ImportMode};
use flags_core::{ErrorKind, FlagStore, Key, Result};
use futures_util::future::BoxFuture;

use crate::fixture::{change, entity, flag, id, instant, key, name, over, phase, segment, user, window};

/// An operation on the store of the fixture.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) run: for<'a> fn(&'a FlagStore) -> BoxFuture<'a, Result<String>>,
}

macro_rules! operations {
    ($($name:literal: |$store:ident| $call:expr;)*) => {
        &[$(Operation {
            name: $name,
            run: |$store| Box::pin(async move { Ok(format!("{:?}", $call)) }),
        }),*]
    };
}

pub(crate) const FLAGS: &[Operation] = operations! {
    "create_flag": |store| store.create_flag(flag("new", 3)).await?;
    "create_flags": |store| store.create_flags(vec![flag("new", 3), flag("newer", 4)]).await?;
    "update_flag": |store| {
        let mut edit = flag("a", 1);
        edit.default_enabled = true;
        store.update_flag(edit, None).await?
    };
    "update_flag, if it is unchanged": |store| {
        let stored = store.get_flag(&key("a")).await?.expect("a flag");
        let mut edit = (*stored).clone();
        edit.default_enabled = true;
        store.update_flag(edit, Some(stored.revision())).await?
    };
    "upsert_flag of a new one": |store| store.upsert_flag(flag("new", 3)).await?;
    "upsert_flag over another": |store| {
        let mut edit = flag("a", 3);
        edit.default_enabled = true;
        store.upsert_flag(edit).await?
    };
    "modify_flag": |store| store.modify_flag(&key("a"), |flag| {
        flag.default_enabled = true;
        Ok(())
    }).await?;
    "create_flag of one that exists": |store| match store.create_flag(flag("a", 1)).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => error.kind(),
        outcome => return outcome.map(|created| format!("{created:?}")),
    };
    "delete_flag": |store| store.delete_flag(&key("b"), None).await?;
    "delete_flag with what it owns": |store| store.delete_flag(&key("a"), None).await?;
};

pub(crate) const OWNED: &[Operation] = operations! {
    "create_override": |store| store.create_override(over(2, "new", 12)).await?;
    "create_override over another": |store| {
        let mut edit = over(1, "x", 12);
        edit.enabled = false;
        store.create_override(edit).await?
    };
    "create_override that expires": |store| {
        let mut new = over(2, "new", 12);
        new.expires_at = Some(instant("2099-01-01T00:00:00.500+00:00"));
        store.create_override(new).await?
    };
    "create_override that has expired": |store| {
        let mut gone = over(1, "x", 12);
        gone.expires_at = Some(instant("2001-01-01T00:00:00+00:00"));
        store.create_override(gone).await?
    };
    "delete_override": |store| store.delete_override(id(1), &user(), &entity("x"), None).await?;
    "create_scheduled_change": |store| store.create_scheduled_change(change(2, 21)).await?;
    "update_scheduled_change": |store| {
        let mut edit = change(1, 20);
        edit.executed = true;
        store.update_scheduled_change(edit, None).await?
    };
    "delete_scheduled_change": |store| store.delete_scheduled_change(id(20), None).await?;
    "create_time_schedule": |store| store.create_time_schedule(window(2, "new", 36)).await?;
    "update_time_schedule": |store| store.update_time_schedule(window(1, "renamed", 35), None).await?;
    "delete_time_schedule": |store| store.delete_time_schedule(id(35), None).await?;
    "create_rollout_phase": |store| store.create_rollout_phase(phase(2, 1, 31)).await?;
    "update_rollout_phase": |store| store.update_rollout_phase(phase(1, 2, 30), None).await?;
    "delete_rollout_phase": |store| store.delete_rollout_phase(id(30), None).await?;
};

pub(crate) const SEGMENTS_AND_MANY: &[Operation] = operations! {
    "create_segment": |store| store.create_segment(segment("new", 42)).await?;
    "create_segment under another": |store| {
        let mut new = segment("new", 42);
        new.parent_segment_id = Some(id(41));
        store.create_segment(new).await?
    };
    "update_segment": |store| store.update_segment(segment("renamed", 40), None).await?;
    "delete_segment": |store| store.delete_segment(id(41), None).await?;
    "a scheduled change executed": |store| {
        let stored = store.get_flag(&key("a")).await?.expect("a flag");
        let pending = store.get_scheduled_change(id(20)).await?.expect("a change");
        let (mut edit, mut done) = ((*stored).clone(), (*pending).clone());
        edit.default_enabled = true;
        done.executed = true;
        let both = Batch::new()
            .put(edit, Expect::Revision(stored.revision().clone()))
            .put(done, Expect::Revision(pending.revision().clone()));
        store.storage().commit(both).await?
    };
    "a chunk of an import": |store| {
        let mut document = Document::default();
        document.push(flag("new", 3).into());
        document.push(flag("b", 2).into());
        document.push(over(3, "x", 13).into());
        document.push(window(2, "new", 36).into());
        document.push(segment("new", 42).into());
        store.import(&document, ImportMode::Merge).await?
    };
    "a batch of writes, checks and deletes": |store| {
        let batch = Batch::new()
            .put(flag("new", 3), Expect::Absent)
            .put(over(3, "x", 13), Expect::Absent)
            .check(Key::Flag(key("b")), Expect::Present)
            .delete(Key::Flag(key("a")), Expect::Present);
        store.storage().commit(batch).await?
    };
};

pub(crate) const READS: &[Operation] = operations! {
    "get_flag": |store| store.get_flag(&key("a")).await?;
    "get_flags": |store| store.get_flags(&[key("a"), key("none"), key("b")]).await?;
    "get_flag_by_id": |store| store.get_flag_by_id(id(1)).await?;
    "get_all_flags": |store| store.get_all_flags().await?;
    "get_all_active_flags": |store| store.get_all_active_flags().await?;
    "get_override": |store| store.get_override(id(1), &user(), &entity("x")).await?;
    "get_overrides_for_entity": |store| store.get_overrides_for_entity(&user(), &entity("x")).await?;
    "get_overrides_for_flag": |store| store.get_overrides_for_flag(id(1)).await?;
    "get_scheduled_changes": |store| store.get_scheduled_changes(None, Pending::AndExecuted).await?;
    "get_time_schedules": |store| store.get_time_schedules(Some(id(1))).await?;
    "get_rollout_phases": |store| store.get_rollout_phases(id(1)).await?;
    "get_segment": |store| store.get_segment(id(40)).await?;
    "get_segment_by_name": |store| store.get_segment_by_name(&name("child")).await?;
    "get_child_segments": |store| store.get_child_segments(id(40)).await?;
    "export": |store| store.export().await?.document.to_json()?;
    // What it measures differs.
    "health_check": |store| store.health_check().await.map(drop)?;
};
