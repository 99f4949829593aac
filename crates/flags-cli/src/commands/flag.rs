//! `flags flag`.

use feature_flags::storage::{Query, Stored};
use feature_flags::{Flag, FlagKey, FlagStatus, Json, Key, Kind, Model as _, Record};

use super::records::{self, Done};
use super::{Session, listing};
use crate::args::{Create, FlagCommand, FlagFilter, Input};
use crate::failure::{Exit, Failure};
use crate::input::{self, Batch, Object};
use crate::store;

pub(super) async fn run(session: &Session, command: FlagCommand) -> Result<Exit, Failure> {
    match command {
        FlagCommand::List(filter) => list(session, &filter).await,
        FlagCommand::Get { key } => records::get(session, &Key::Flag(key)).await,
        FlagCommand::Create(what) => create(session, what).await,
        FlagCommand::Update(update) => records::update(session, Kind::Flag, &update).await,
        FlagCommand::Apply(input) => apply(session, &input).await,
        FlagCommand::Enable { key } => {
            switch(session, "enabled", &key, |flag| {
                flag.status = FlagStatus::Active;
                flag.default_enabled = true;
            })
            .await
        }
        FlagCommand::Disable { key } => {
            switch(session, "disabled", &key, |flag| {
                flag.status = FlagStatus::Inactive;
                flag.default_enabled = false;
            })
            .await
        }
        FlagCommand::Archive { key } => {
            switch(session, "archived", &key, |flag| flag.status = FlagStatus::Archived).await
        }
        FlagCommand::Delete(delete) => {
            let keys: Vec<Key> = delete.names.into_iter().map(Key::Flag).collect();
            records::delete(session, &keys, delete.condition.if_revision.as_ref()).await
        }
    }
}

async fn list(session: &Session, filter: &FlagFilter) -> Result<Exit, Failure> {
    let wanted = |record: &Record| match record {
        Record::Flag(flag) => {
            filter.status.is_none_or(|status| flag.status == status)
                && filter.tags.iter().all(|tag| flag.tags.contains(tag))
        }
        _ => false,
    };
    listing::print(session, Query::All(Kind::Flag), wanted).await
}

/// One flag, or those of a file in one commit.
async fn create(session: &Session, what: Create) -> Result<Exit, Failure> {
    let given = match (what.key, what.file) {
        (_, Some(file)) => input::objects(&file)?,
        (key, None) => {
            let mut object = Object::default();
            object.set("key", key.map_or_else(Json::null, |key| key.as_str().into()));
            Batch { items: vec![object], array: false }
        }
    };
    let given = given.try_map(|object| input::new_record(Kind::Flag, object, None))?;
    let mut done = Done::new(session, "created", given.array);
    if given.array {
        let flags = given.items.into_iter().filter_map(Flag::from_record).map(|flag| (*flag).clone());
        for flag in session.store.create_flags(flags.collect()).await? {
            done.add(Ok(store::stored(&flag)))?;
        }
    } else {
        for record in given.items {
            done.add(store::create(&session.store, record).await)?;
        }
    }
    done.print()
}

/// Creates or replaces each flag of a file.
///
/// One with a revision was read from the store: it replaces just that. One that was stored at some time, as
/// its `created_at` says, replaces what is there; anything else is a new flag, whose defaults are filled in.
async fn apply(session: &Session, input: &Input) -> Result<Exit, Failure> {
    let given = input::objects(&input.file)?;
    let array = given.array;
    let mut flags = Vec::new();
    for mut object in given.items {
        let stored_once =
            ["revision", "created_at"].iter().any(|m| object.get(m).is_some_and(|v| !v.is_null()));
        let (record, revision) = if stored_once {
            let given = input::whole_record(Kind::Flag, object)?;
            (given.record, given.revision)
        } else {
            object.remove("created_at");
            (input::new_record(Kind::Flag, object, None)?, None)
        };
        flags.extend(Flag::from_record(record).map(|flag| ((*flag).clone(), revision)));
    }
    let mut done = Done::new(session, "applied", array);
    for (flag, revision) in flags {
        let before = records::before(session, &flag.key()).await;
        let after = match revision {
            Some(revision) => session.store.update_flag(flag, Some(&revision)).await,
            None => session.store.upsert_flag(flag).await,
        };
        let after = after.map(|flag| store::stored(&flag));
        if let (Some(before), Ok(after)) = (before, &after) {
            session.out.note_diff(&before, after)?;
        }
        done.add(after)?;
    }
    done.print()
}

/// Edits a flag, whoever else is writing it.
async fn switch(
    session: &Session,
    verb: &'static str,
    key: &FlagKey,
    edit: impl Fn(&mut Flag) + Send + Sync,
) -> Result<Exit, Failure> {
    let edited = session.store.modify_flag(key, |flag| {
        edit(flag);
        Ok(())
    });
    let stored: Stored = store::stored(&edited.await?);
    let mut done = Done::new(session, verb, false);
    done.add(Ok(stored))?;
    done.print()
}
