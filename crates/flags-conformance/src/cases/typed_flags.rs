//! The typed API: flags.

use flags_core::{Error, ErrorKind, Flag, FlagStatus, FlagStore, Record, Result};
use tokio::task::JoinSet;

use crate::case::cases;
use crate::context::Context;
use crate::records::{flag, flag_key, overrides};
use crate::stop::{Checked, Stop, describe, ensure, equal, fail, unexpected};
use crate::store::bounded;

cases! { Typed:
    typed_create_update_and_delete_a_flag,
    typed_upsert_creates_and_replaces,
    typed_flags_are_listed_by_key,
    typed_many_flags_are_got_by_key,
    typed_create_flags_creates_all_or_none,
    typed_concurrent_edits_are_all_kept on threads,
    typed_a_flag_that_owns_more_than_one_commit_deletes_is_deleted,
}

pub(super) fn typed(ctx: &Context) -> FlagStore {
    FlagStore::new(ctx.handle())
}

/// What must have succeeded.
pub(super) async fn ok<T>(what: &str, call: impl Future<Output = Result<T>>) -> Checked<T> {
    bounded(what, call).await?.map_err(|error| unexpected(what, &error))
}

/// The error of what must have failed like this.
pub(super) async fn refused<T>(
    what: &str,
    kind: ErrorKind,
    call: impl Future<Output = Result<T>>,
) -> Checked<Error> {
    match bounded(what, call).await? {
        Err(error) if error.kind() == kind => {
            ensure!(
                error.operation().is_some(),
                "{what}: expected the error to name the method, came {error}"
            );
            Ok(error)
        }
        Err(error) => Err(Stop::failed(format!("{what}: expected `{kind}`, came {}", describe(&error)))),
        Ok(_) => Err(Stop::failed(format!("{what}: expected `{kind}`, came success"))),
    }
}

async fn typed_create_update_and_delete_a_flag(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let new = flag("f")?;
    let created = ok("create_flag", store.create_flag(new.clone())).await?;
    ensure!(
        created.created_at.is_some() && created.updated_at.is_some(),
        "create_flag: expected stamps, came none"
    );
    equal("get_flag", &ok("get_flag", store.get_flag(&new.key)).await?.as_ref(), &Some(&created))?;
    equal(
        "get_flag_by_id",
        &ok("get_flag_by_id", store.get_flag_by_id(new.id)).await?.as_ref(),
        &Some(&created),
    )?;
    refused("create_flag again", ErrorKind::AlreadyExists, store.create_flag(new.clone())).await?;

    let mut edit = Flag::clone(&created);
    edit.default_enabled = true;
    let updated = ok("update_flag", store.update_flag(edit.clone(), Some(created.revision()))).await?;
    equal("created_at after an update", &updated.created_at, &created.created_at)?;
    let stale = Some(created.revision());
    refused("update_flag by a stale revision", ErrorKind::Conflict, store.update_flag(edit.clone(), stale))
        .await?;
    refused("delete_flag by a stale revision", ErrorKind::Conflict, store.delete_flag(&new.key, stale))
        .await?;
    ok("update_flag by no revision", store.update_flag(edit.clone(), None)).await?;

    equal("delete_flag", &ok("delete_flag", store.delete_flag(&new.key, None)).await?, &true)?;
    equal("delete_flag again", &ok("delete_flag again", store.delete_flag(&new.key, None)).await?, &false)?;
    equal("get_flag after it", &ok("get_flag", store.get_flag(&new.key)).await?, &None)?;
    refused("update_flag of a missing flag", ErrorKind::NotFound, store.update_flag(edit, None)).await?;
    let edited = store.modify_flag(&new.key, |_| Ok::<(), Error>(()));
    refused("modify_flag of a missing flag", ErrorKind::NotFound, edited).await.map(drop)
}

async fn typed_upsert_creates_and_replaces(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let mut new = flag("f")?;
    ok("upsert_flag of a new flag", store.upsert_flag(new.clone())).await?;
    new.default_enabled = true;
    ok("upsert_flag of a flag that exists", store.upsert_flag(new.clone())).await?;
    let stored = ok("get_flag", store.get_flag(&new.key)).await?;
    ensure!(
        stored.is_some_and(|flag| flag.default_enabled),
        "get_flag after upsert_flag: expected the new value"
    );
    let other = flag("f")?;
    refused("upsert_flag with another id", ErrorKind::Conflict, store.upsert_flag(other)).await.map(drop)
}

async fn typed_flags_are_listed_by_key(ctx: &Context) -> Checked {
    let store = typed(ctx);
    for key in ["b", "a", "ä", "B", "a:b", "aa"] {
        let mut new = flag(key)?;
        if key.contains('a') {
            new.status = FlagStatus::Archived;
        }
        ok("create_flag", store.create_flag(new)).await?;
    }
    let names = |flags: &[flags_core::store::Versioned<Flag>]| {
        flags.iter().map(|flag| flag.key.to_string()).collect::<Vec<_>>()
    };
    let all = ok("get_all_flags", store.get_all_flags()).await?;
    equal("get_all_flags", &names(&all), &["B", "a", "a:b", "aa", "b", "ä"].map(String::from).to_vec())?;
    let active = ok("get_all_active_flags", store.get_all_active_flags()).await?;
    equal("get_all_active_flags", &names(&active), &["B", "b", "ä"].map(String::from).to_vec())
}

async fn typed_many_flags_are_got_by_key(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let many = ctx.store.limits().batch_ops.min(1_000) + 50;
    ctx.store.fill(&crate::records::flags(many, "f")?).await?;
    let mut keys = vec![flag_key("missing")?];
    for n in 0..many {
        keys.push(flag_key(&format!("f{n}"))?);
    }
    let flags = ok("get_flags", store.get_flags(&keys)).await?;
    equal("the number of flags that get_flags gives", &flags.len(), &many)?;
    for (key, answer) in flags {
        let came = answer.map_err(|error| unexpected("get_flags", &error))?;
        equal("the flag under a key", &came.key, &key)?;
    }
    Ok(())
}

async fn typed_create_flags_creates_all_or_none(ctx: &Context) -> Checked {
    let store = typed(ctx);
    let taken = flag("taken")?;
    ok("create_flag", store.create_flag(taken.clone())).await?;
    let flags = vec![flag("a")?, taken, flag("b")?];
    refused("create_flags with one that exists", ErrorKind::AlreadyExists, store.create_flags(flags)).await?;
    equal("how many flags there are", &ok("get_all_flags", store.get_all_flags()).await?.len(), &1)?;
    let created = ok("create_flags", store.create_flags(vec![flag("a")?, flag("b")?])).await?;
    equal("what create_flags gives", &created.len(), &2)?;
    equal("how many flags there are", &ok("get_all_flags", store.get_all_flags()).await?.len(), &3)
}

async fn typed_concurrent_edits_are_all_kept(ctx: &Context) -> Checked {
    const WRITERS: usize = 8;
    const EDITS: usize = 5;
    let new = flag("f")?;
    ok("create_flag", typed(ctx).create_flag(new.clone())).await?;
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let (store, key) = (typed(ctx), new.key.clone());
        writers.spawn(async move {
            for edit in 0..EDITS {
                let tag = format!("{n}.{edit}");
                let add = |flag: &mut Flag| {
                    flag.tags.push(tag.clone());
                    Ok::<(), Error>(())
                };
                store.modify_flag(&key, add).await?;
            }
            Ok::<(), Error>(())
        });
    }
    while let Some(joined) = writers.join_next().await {
        match joined {
            Ok(Ok(())) => {}
            Ok(Err(error)) => fail!("modify_flag among others: came {}", describe(&error)),
            Err(error) => fail!("modify_flag among others panicked: {error}"),
        }
    }
    let stored = ok("get_flag", typed(ctx).get_flag(&new.key)).await?;
    equal("the edits that were kept", &stored.map(|flag| flag.tags.len()), &Some(WRITERS * EDITS))
}

async fn typed_a_flag_that_owns_more_than_one_commit_deletes_is_deleted(ctx: &Context) -> Checked {
    let limit = ctx.store.limits().owned_per_delete;
    if limit > 20_000 {
        return Err(Stop::Ignored(format!(
            "the declared limit of {limit} owned records is too large to try"
        )));
    }
    let owner = flag("f")?;
    let (id, key) = (owner.id, owner.key.clone());
    ctx.store.put(&Record::from(owner), flags_core::storage::Expect::Absent).await?;
    ctx.store.fill(&overrides(limit + 1, id)?).await?;
    let store = typed(ctx);
    // More calls than one, so it may take longer than one.
    let deleted = store.delete_flag(&key, None).await.map_err(|error| unexpected("delete_flag", &error))?;
    equal("delete_flag of a flag that owns more than the limit", &deleted, &true)?;
    let left = ok("get_overrides_for_flag", store.get_overrides_for_flag(id)).await?;
    equal("the overrides that are left", &left.len(), &0)?;
    Ok(())
}
