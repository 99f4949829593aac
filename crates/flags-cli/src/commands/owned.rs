//! `flags schedule`, `flags window` and `flags phase`.

use clap::Args;
use feature_flags::storage::Query;
use feature_flags::{FlagKey, Key, Kind, Record};

use super::{Session, listing, records, scheduler};
use crate::args::{OwnedCommand, ScheduleCommand, ScheduleList};
use crate::failure::{Exit, Failure, noun};
use crate::store;

/// Scheduled changes: what was executed is listed only if asked for.
pub(super) async fn schedules(session: &Session, command: ScheduleCommand) -> Result<Exit, Failure> {
    match command {
        ScheduleCommand::RunDue { at } => scheduler::run_due(session, at).await,
        ScheduleCommand::Records(OwnedCommand::List {
            flag,
            orphans: false,
            filter: ScheduleList { all },
        }) => {
            let query = query(session, Kind::ScheduledChange, flag.as_ref()).await?;
            let pending =
                |record: &Record| matches!(record, Record::ScheduledChange(c) if all || !c.executed);
            listing::print(session, query, pending).await
        }
        ScheduleCommand::Records(other) => run(session, Kind::ScheduledChange, other).await,
    }
}

pub(super) async fn run<F: Args>(
    session: &Session,
    kind: Kind,
    command: OwnedCommand<F>,
) -> Result<Exit, Failure> {
    match command {
        OwnedCommand::List { orphans: true, .. } => listing::orphans(session, kind).await,
        OwnedCommand::List { flag, .. } => {
            let query = query(session, kind, flag.as_ref()).await?;
            listing::print(session, query, |_| true).await
        }
        OwnedCommand::Get { id } => records::get(session, &key(kind, &id)?).await,
        OwnedCommand::Create { flag, input } => {
            let owner = match flag {
                Some(key) => Some(store::flag(&session.store, &key).await?.id),
                None => None,
            };
            records::create(session, kind, &input.file, owner).await
        }
        OwnedCommand::Update(update) => records::update(session, kind, &update).await,
        OwnedCommand::Delete(delete) => {
            let keys = delete.names.iter().map(|id| key(kind, id)).collect::<Result<Vec<_>, _>>()?;
            records::delete(session, &keys, delete.condition.if_revision.as_ref()).await
        }
    }
}

/// What that flag has of a kind, or all of the kind.
async fn query(session: &Session, kind: Kind, flag: Option<&FlagKey>) -> Result<Query, Failure> {
    Ok(match flag {
        Some(key) => Query::Owned(kind, store::flag(&session.store, key).await?.id),
        None => Query::All(kind),
    })
}

/// The key of a record that is named by its id.
fn key(kind: Kind, id: &str) -> Result<Key, Failure> {
    let noun = noun(kind);
    let wrong = |_| Failure::usage(format!("{id:?} is no id"), format!("`flags {noun} list` shows the ids"));
    format!("{kind}:{}", id.to_ascii_lowercase()).parse().map_err(wrong)
}
