//! `flags flag`.

use feature_flags::storage::{Query, Stored};
use feature_flags::{Flag, FlagKey, FlagStatus, Json, Key, Kind, Model as _, Record};

use super::records::{self, Done};
use super::{Session, listing};
use crate::args::{Create, FlagCommand, FlagFilter};
use crate::failure::{Exit, Failure};
use crate::input::{self, Batch, Object};
use crate::store;

pub(super) async fn run(session: &Session, command: FlagCommand) -> Result<Exit, Failure> {
    match command {
        FlagCommand::List(filter) => list(session, &filter).await,
        FlagCommand::Get { key } => records::get(session, &Key::Flag(key)).await,
        FlagCommand::Create(what) => create(session, what).await,
        FlagCommand::Update(update) => records::update(session, Kind::Flag, &update).await,
        FlagCommand::Apply(input) => records::apply(session, Kind::Flag, "applied", &input.file, None).await,
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
            done.add(Ok::<_, Failure>(store::stored(&flag)))?;
        }
    } else {
        for record in given.items {
            done.add(store::create(&session.store, record).await)?;
        }
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
    done.add(Ok::<_, Failure>(stored))?;
    done.print()
}
