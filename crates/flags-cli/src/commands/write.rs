//! Writing over what is stored, on the condition that it still is that.

use feature_flags::storage::{Revision, Stored};
use feature_flags::{Error, ErrorKind, Key, Kind, Record};

use super::Session;
use crate::failure::Failure;
use crate::input::Partial;
use crate::store;

/// How often to read again where somebody else writes the same record. Each time one of the writers gets
/// through.
const ATTEMPTS: usize = 100;

/// What there is where a record is to be written.
pub(super) enum Found<'a> {
    Nothing,
    /// Something from which nothing can be taken over.
    Unreadable,
    Record(&'a Record),
}

/// A record before and after.
pub(super) struct Written {
    pub(super) before: Option<Stored>,
    pub(super) after: Stored,
}

impl Written {
    /// Whether anything had to be written.
    pub(super) fn is_new(&self) -> bool {
        self.before.as_ref() != Some(&self.after)
    }
}

/// Changes a record that exists.
pub(super) async fn update(session: &Session, partial: &Partial, key: &Key) -> Result<Written, Failure> {
    let make = |found: Found<'_>| match found {
        Found::Nothing => Err(Error::not_found(key.clone()).into()),
        Found::Unreadable => partial.whole(),
        Found::Record(stored) => partial.over(stored),
    };
    write(session, key, partial.revision.as_ref(), make).await
}

/// Changes a record, or creates it.
pub(super) async fn apply(session: &Session, partial: &Partial, key: &Key) -> Result<Written, Failure> {
    let make = |found: Found<'_>| match found {
        Found::Nothing => partial.create(None),
        Found::Unreadable if partial.kind() == Kind::Override => partial.create(None),
        Found::Unreadable => partial.whole(),
        Found::Record(stored) => partial.over(stored),
    };
    write(session, key, partial.revision.as_ref(), make).await
}

/// Writes what `make` makes of what is stored. Without a revision given, as often as somebody else is faster.
pub(super) async fn write(
    session: &Session,
    key: &Key,
    given: Option<&Revision>,
    make: impl Fn(Found<'_>) -> Result<Record, Failure>,
) -> Result<Written, Failure> {
    let mut attempt = 1;
    loop {
        let (before, revision) = match store::read(&session.store, key).await {
            Ok(stored) => {
                let revision = stored.as_ref().map(|stored| stored.revision.clone());
                (stored.map(Ok), revision)
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let revision = error.revision().cloned();
                (Some(Err(error)), revision)
            }
            Err(error) => return Err(error.into()),
        };
        match (&before, given) {
            (None, Some(_)) => return Err(Error::not_found(key.clone()).into()),
            (Some(_), Some(given)) if revision.as_ref() != Some(given) => {
                return Err(Error::conflict(key.clone()).into());
            }
            _ => {}
        }
        let record = make(match &before {
            None => Found::Nothing,
            Some(Err(_)) => Found::Unreadable,
            Some(Ok(stored)) => Found::Record(&stored.record),
        })?;
        let outcome = match &before {
            Some(Ok(stored)) if stored.record == record => Ok(stored.clone()),
            Some(_) => store::update(&session.store, record, revision.as_ref()).await,
            None => store::create(&session.store, record).await,
        };
        match outcome {
            Err(error) if given.is_none() && attempt < ATTEMPTS && somebody_was_faster(&error) => {
                attempt += 1;
            }
            outcome => return Ok(Written { before: before.and_then(Result::ok), after: outcome? }),
        }
    }
}

/// Whether the record is not as it was read a moment ago.
fn somebody_was_faster(error: &Error) -> bool {
    error.field().is_none()
        && matches!(error.kind(), ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::NotFound)
}
