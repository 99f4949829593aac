//! What records of every kind have in common: getting, creating, updating, deleting.

use std::path::Path;

use feature_flags::storage::{Revision, Stored};
use feature_flags::{Error, FlagId, Key, Kind, Record};

use super::{Session, listing};
use crate::args::Update;
use crate::failure::{Exit, Failure, noun};
use crate::input::{self, Batch, Given};
use crate::output::count;
use crate::{confirm, store};

/// Prints one record.
pub(super) async fn get(session: &Session, key: &Key) -> Result<Exit, Failure> {
    let stored = store::read(&session.store, key).await?;
    let stored = stored.ok_or_else(|| Error::not_found(key.clone()))?;
    let names = listing::owners(session, std::slice::from_ref(&stored)).await?;
    session.out.record(&stored, &names)
}

/// Creates the records of a file one by one.
pub(super) async fn create(
    session: &Session,
    kind: Kind,
    file: &Path,
    owner: Option<FlagId>,
) -> Result<Exit, Failure> {
    let given = input::objects(file)?.try_map(|object| input::new_record(kind, object, owner))?;
    let mut done = Done::new(session, "created", given.array);
    for record in given.items {
        done.add(store::create(&session.store, record).await)?;
    }
    done.print()
}

/// Replaces the records of a file one by one.
pub(super) async fn update(session: &Session, kind: Kind, update: &Update) -> Result<Exit, Failure> {
    let mut given =
        input::objects(&update.input.file)?.try_map(|object| input::whole_record(kind, object))?;
    given_revision(&mut given, update.condition.if_revision.as_ref())?;
    let mut done = Done::new(session, "updated", given.array);
    for Given { record, revision } in given.items {
        let before = before(session, &record.key()).await;
        let after = store::update(&session.store, record, revision.as_ref()).await;
        if let (Some(before), Ok(after)) = (before, &after) {
            session.out.note_diff(&before, after)?;
        }
        done.add(after)?;
    }
    done.print()
}

/// The record that is to be replaced, for the difference that people are shown.
pub(super) async fn before(session: &Session, key: &Key) -> Option<Stored> {
    if session.out.is_json() {
        return None;
    }
    // What is wrong with it, the write will say.
    store::read(&session.store, key).await.ok().flatten()
}

/// `--if-revision` takes the place of the member; it can be about one record only.
pub(super) fn given_revision(
    given: &mut Batch<Given>,
    if_revision: Option<&Revision>,
) -> Result<(), Failure> {
    match (if_revision, given.items.as_mut_slice()) {
        (None, _) => Ok(()),
        (Some(revision), [one]) => {
            one.revision = Some(revision.clone());
            Ok(())
        }
        (Some(_), _) => Err(several_under_one_revision()),
    }
}

/// Deletes records one by one.
pub(super) async fn delete(
    session: &Session,
    keys: &[Key],
    if_revision: Option<&Revision>,
) -> Result<Exit, Failure> {
    if keys.len() > 1 {
        if if_revision.is_some() {
            return Err(several_under_one_revision());
        }
        let what = keys.first().map_or("record", |key| noun(key.kind()));
        confirm::ask(session, &format!("delete {}, and what belongs to them", count(keys.len(), what)))?;
    }
    let mut deleted = Vec::new();
    for key in keys {
        if let Err(error) = store::delete(&session.store, key, if_revision).await {
            if !deleted.is_empty() {
                session.out.note(&format!("deleted before that: {}", deleted.join(", ")));
                if session.out.is_json() {
                    // The error counts, also where nobody reads this.
                    let _ = session.out.value(&deleted);
                }
            }
            return Err(error.into());
        }
        session.out.note(&format!("deleted {}", for_people(key)));
        deleted.push(key.to_string());
    }
    if session.out.is_json() { session.out.value(&deleted) } else { Ok(Exit::Ok) }
}

fn several_under_one_revision() -> Failure {
    Failure::usage("--if-revision is about one record", "one command for each record")
}

/// What was written so far.
pub(super) struct Done<'a> {
    session: &'a Session,
    verb: &'static str,
    array: bool,
    written: Vec<Stored>,
}

impl<'a> Done<'a> {
    pub(super) fn new(session: &'a Session, verb: &'static str, array: bool) -> Self {
        Self { session, verb, array, written: Vec::new() }
    }

    /// Adds an outcome. One that failed ends the command, after what was written has been printed.
    pub(super) fn add(&mut self, outcome: Result<Stored, Error>) -> Result<(), Failure> {
        match outcome {
            Ok(stored) => {
                self.session.out.note(&format!("{} {}", self.verb, name(&stored.record)));
                self.written.push(stored);
                Ok(())
            }
            Err(error) => {
                if !self.written.is_empty() {
                    // The error counts, also where nobody reads this.
                    let _ = self.session.out.written(&self.written, self.array);
                }
                Err(error.into())
            }
        }
    }

    pub(super) fn print(self) -> Result<Exit, Failure> {
        self.session.note_if_lost();
        self.session.out.written(&self.written, self.array)
    }
}

/// What people call a record.
fn name(record: &Record) -> String {
    match record {
        Record::Segment(segment) => format!("segment {}", segment.name),
        other => for_people(&other.key()),
    }
}

fn for_people(key: &Key) -> String {
    let noun = noun(key.kind());
    match key {
        Key::Override(_, entity_type, entity_id) => format!("{noun} {entity_type} {entity_id}"),
        other => {
            let text = other.to_string();
            format!("{noun} {}", text.split_once(':').map_or("", |(_, name)| name))
        }
    }
}
