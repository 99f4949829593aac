//! `flags override`.

use feature_flags::storage::Query;
use feature_flags::{Key, Kind, Model as _, Override, Record, Timestamp};

use super::records::{self, Done};
use super::write::{self, Found};
use super::{Session, listing};
use crate::args::{Entity, List, Named, OverrideCommand, Owner, Set, SetOptions};
use crate::failure::{Exit, Failure};
use crate::store;

pub(super) async fn run(session: &Session, command: OverrideCommand) -> Result<Exit, Failure> {
    match command {
        OverrideCommand::Set(Set { entity: Some(entity), options, .. }) => {
            set(session, entity, options).await
        }
        OverrideCommand::Set(Set { file: Some(file), options, .. }) => {
            let if_revision = options.condition.if_revision.as_ref();
            records::apply(session, Kind::Override, "set", &file, if_revision).await
        }
        OverrideCommand::Set(_) => {
            Err(Failure::usage("nothing to set", "name a flag and an entity, or -f FILE"))
        }
        OverrideCommand::Get(named) => {
            let key = key(session, named).await?;
            records::get(session, &key).await
        }
        OverrideCommand::List(List { key: Some(key), .. }) => {
            let flag = store::flag(&session.store, &key).await?;
            listing::print(session, Query::Owned(Kind::Override, flag.id), |_| true).await
        }
        OverrideCommand::List(_) => listing::orphans(session, Kind::Override).await,
        OverrideCommand::Delete { named, condition } => {
            let key = key(session, named).await?;
            records::delete(session, &[key], condition.if_revision.as_ref()).await
        }
    }
}

async fn key(session: &Session, named: Named) -> Result<Key, Failure> {
    let (owner, entity_type, entity_id) = named.parts()?;
    let id = match owner {
        Owner::Key(key) => store::flag(&session.store, &key).await?.id,
        Owner::Id(id) => id,
    };
    Ok(Key::Override(id, entity_type, entity_id))
}

/// Sets what the options say, and keeps the rest of the override that is there.
async fn set(session: &Session, entity: Entity, options: SetOptions) -> Result<Exit, Failure> {
    let flag = store::flag(&session.store, &entity.key).await?.id;
    let Entity { entity_type, entity_id, .. } = entity;
    let key = Key::Override(flag, entity_type.clone(), entity_id.clone());
    let expires_at = options.expires_in.map(|time| Timestamp::now().saturating_add(time));
    let make = |found: Found<'_>| {
        let stored = match found {
            Found::Record(stored) => Override::from_record(stored.clone()).map(|one| (*one).clone()),
            Found::Nothing | Found::Unreadable => None,
        };
        let new = || Override::new(flag, entity_type.clone(), entity_id.clone(), true);
        let mut one = stored.unwrap_or_else(new);
        one.enabled = options.enabled.unwrap_or(one.enabled);
        if options.no_value || options.value.is_some() {
            one.value.clone_from(&options.value);
        }
        if options.no_expiry || expires_at.is_some() {
            one.expires_at = expires_at;
        }
        Ok(Record::from(one))
    };
    let mut done = Done::new(session, "set", false);
    done.add_written(write::write(session, &key, options.condition.if_revision.as_ref(), make).await)?;
    done.print()
}
