//! `flags segment`.

use feature_flags::storage::Query;
use feature_flags::{Error, ErrorKind, Key, Kind, SegmentName};

use super::{Session, listing, records};
use crate::args::SegmentCommand;
use crate::failure::{Exit, Failure};

pub(super) async fn run(session: &Session, command: SegmentCommand) -> Result<Exit, Failure> {
    match command {
        SegmentCommand::List => listing::print(session, Query::All(Kind::Segment), |_| true).await,
        SegmentCommand::Get { name } => {
            let key = key(session, &name).await?;
            records::get(session, &key).await
        }
        SegmentCommand::Create(input) => records::create(session, Kind::Segment, &input.file, None).await,
        SegmentCommand::Update(update) => records::update(session, Kind::Segment, &update).await,
        SegmentCommand::Delete(delete) => {
            let mut keys = Vec::new();
            for name in &delete.names {
                keys.push(key(session, name).await?);
            }
            records::delete(session, &keys, delete.condition.if_revision.as_ref()).await
        }
    }
}

/// The key of the segment of that name.
pub(super) async fn key(session: &Session, name: &SegmentName) -> Result<Key, Failure> {
    match session.store.get_segment_by_name(name).await? {
        Some(segment) => Ok(Key::Segment(segment.id)),
        None => {
            let missing =
                Error::new(ErrorKind::NotFound, format!("there is no segment named {:?}", name.as_str()));
            let failure = Failure::from(missing);
            Err(failure.with_hint("`flags segment list` shows what there is"))
        }
    }
}
