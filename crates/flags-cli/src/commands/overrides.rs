//! `flags override`.

use feature_flags::storage::{Batch, Expect, Query, Revision, Stored};
use feature_flags::{
    Error, ErrorKind, Flag, Key, Kind, Model as _, Override, Record, Result, Timestamp, Versioned,
};

use super::records::{self, Done};
use super::{Session, listing};
use crate::args::{Entity, OverrideCommand, Set, SetOptions};
use crate::failure::{Exit, Failure};
use crate::input;
use crate::store;

/// How often to read again where somebody else writes the same override.
const ATTEMPTS: usize = 10;

pub(super) async fn run(session: &Session, command: OverrideCommand) -> Result<Exit, Failure> {
    match command {
        OverrideCommand::Set(Set { entity: Some(entity), options, .. }) => {
            set(session, entity, options).await
        }
        OverrideCommand::Set(Set { file: Some(file), options, .. }) => {
            let mut given = input::objects(&file)?.try_map(|mut object| {
                let revision = input::revision(&mut object)?;
                // One that was read replaces what was there, so it has to be whole.
                let record = match revision {
                    Some(_) => input::whole_record(Kind::Override, object)?.record,
                    None => input::new_record(Kind::Override, object, None)?,
                };
                Ok(input::Given { record, revision })
            })?;
            records::given_revision(&mut given, options.condition.if_revision.as_ref())?;
            let mut done = Done::new(session, "set", given.array);
            for input::Given { record, revision } in given.items {
                done.add(put(session, record, revision).await)?;
            }
            done.print()
        }
        OverrideCommand::Set(_) => {
            Err(Failure::usage("nothing to set", "name a flag and an entity, or -f FILE"))
        }
        OverrideCommand::Get(entity) => {
            let flag = flag(session, &entity).await?;
            let key = key(&flag, &entity);
            records::get(session, &key).await
        }
        OverrideCommand::List { key } => {
            let flag = store::flag(&session.store, &key).await?;
            listing::print(session, Query::Owned(Kind::Override, flag.id), |_| true).await
        }
        OverrideCommand::Delete { entity, condition } => {
            let flag = flag(session, &entity).await?;
            let key = key(&flag, &entity);
            records::delete(session, &[key], condition.if_revision.as_ref()).await
        }
    }
}

async fn flag(session: &Session, entity: &Entity) -> Result<Versioned<Flag>> {
    store::flag(&session.store, &entity.key).await
}

fn key(flag: &Flag, entity: &Entity) -> Key {
    Key::Override(flag.id, entity.entity_type.clone(), entity.entity_id.clone())
}

/// Sets what the override answers, and keeps the rest of the one that is there.
async fn set(session: &Session, entity: Entity, options: SetOptions) -> Result<Exit, Failure> {
    let flag = flag(session, &entity).await?;
    let key = key(&flag, &entity);
    let mut done = Done::new(session, "set", false);
    for attempt in 1.. {
        let stored = match store::read(&session.store, &key).await {
            Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error.into()),
            read => read.ok().flatten(),
        };
        let there = stored.and_then(|stored| {
            let revision = stored.revision.clone();
            Some(((*Override::from_record(stored.record)?).clone(), revision))
        });
        let (mut one, revision) = match there {
            Some((one, revision)) => (one, Some(revision)),
            None => {
                let new = Override::new(flag.id, entity.entity_type.clone(), entity.entity_id.clone(), true);
                (new, None)
            }
        };
        one.enabled = options.enabled.unwrap_or(true);
        one.value.clone_from(&options.value);
        one.expires_at = options.expires_in.map(|time| Timestamp::now().saturating_add(time));
        let given = options.condition.if_revision.clone();
        let retry = given.is_none() && attempt < ATTEMPTS;
        match put(session, one.into(), given.or(revision)).await {
            Err(error) if error.is_stale() && retry => {}
            outcome => {
                done.add(outcome)?;
                break;
            }
        }
    }
    done.print()
}

/// Writes an override; over one of that revision only, if it is given.
async fn put(session: &Session, record: Record, revision: Option<Revision>) -> Result<Stored> {
    let Some(revision) = revision else {
        return store::create(&session.store, record).await;
    };
    let Some(mut one) = Override::from_record(record).map(|one| (*one).clone()) else {
        return Err(Error::new(ErrorKind::Invalid, "not an override"));
    };
    one.updated_at = Some(Timestamp::now());
    let record = Record::from(one);
    let batch = Batch::new().put(record.clone(), Expect::Revision(revision));
    let effects = session.store.storage().commit(batch).await?;
    let after = effects.into_iter().next().and_then(|effect| effect.after);
    Ok(Stored::new(record, after.unwrap_or_else(|| Revision::new(""))))
}
