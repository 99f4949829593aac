//! What records of every kind have in common: getting, creating, updating, deleting.

use std::path::Path;

use feature_flags::storage::{Revision, Stored};
use feature_flags::{Error, FlagId, Key, Kind, Record};

use super::write::{self, Written};
use super::{Session, listing};
use crate::args::Update;
use crate::failure::{Exit, Failure, NOTHING_CHANGED, noun};
use crate::input::{self, Batch, Partial};
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

/// Changes the records of a file one by one.
pub(super) async fn update(session: &Session, kind: Kind, update: &Update) -> Result<Exit, Failure> {
    let given = partials(kind, &update.input.file, update.condition.if_revision.as_ref())?;
    let mut done = Done::new(session, "updated", given.array);
    for partial in given.items {
        done.add_written(update_one(session, partial).await)?;
    }
    done.print()
}

async fn update_one(session: &Session, mut partial: Partial) -> Result<Written, Failure> {
    // People know a segment by its name.
    if let (Kind::Segment, None, Some(name)) = (partial.kind(), partial.get("id"), partial.get("name"))
        && let Ok(name) = name.to()
        && let Key::Segment(id) = super::segment::key(session, &name).await?
    {
        partial.set("id", id.to_string().into());
    }
    let key = partial.key()?;
    write::update(session, &partial, &key).await
}

/// Changes the records of a file one by one, or creates them.
pub(super) async fn apply(
    session: &Session,
    kind: Kind,
    verb: &'static str,
    file: &Path,
    if_revision: Option<&Revision>,
) -> Result<Exit, Failure> {
    let given = partials(kind, file, if_revision)?;
    let mut done = Done::new(session, verb, given.array);
    for partial in given.items {
        let written = match partial.key() {
            Ok(key) => write::apply(session, &partial, &key).await,
            Err(failure) => Err(failure),
        };
        done.add_written(written)?;
    }
    done.print()
}

/// The records of a file as far as they are given. `--if-revision` takes the place of the member; it can be
/// about one only.
fn partials(kind: Kind, file: &Path, if_revision: Option<&Revision>) -> Result<Batch<Partial>, Failure> {
    let mut given = input::objects(file)?.try_map(|object| Partial::new(kind, object))?;
    match (if_revision, given.items.as_mut_slice()) {
        (None, _) => Ok(given),
        (Some(revision), [one]) => {
            one.revision = Some(revision.clone());
            Ok(given)
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
                return Err(part_is_done(session, "deleted", error.into()));
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

/// A failure after others were written: its own hint knows of one record, and repeating all of them may be
/// wrong.
fn part_is_done(session: &Session, verb: &str, failure: Failure) -> Failure {
    let mut hint = format!("what was {verb} before that stays so: leave it out when you repeat the command");
    if let Some(own) = session.out.hint(&failure).filter(|own| !own.starts_with(NOTHING_CHANGED)) {
        hint.push_str(&format!("; {own}"));
    }
    failure.with_hint(hint)
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
    pub(super) fn add(&mut self, outcome: Result<Stored, impl Into<Failure>>) -> Result<(), Failure> {
        match outcome {
            Ok(stored) => {
                self.done(self.verb, stored);
                Ok(())
            }
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// The same, and for people what changed.
    pub(super) fn add_written(&mut self, outcome: Result<Written, Failure>) -> Result<(), Failure> {
        let written = outcome.map_err(|failure| self.failed(failure))?;
        let verb = if written.is_new() { self.verb } else { "unchanged:" };
        if let Some(before) = &written.before
            && written.is_new()
        {
            self.session.out.note_diff(before, &written.after)?;
        }
        self.done(verb, written.after);
        Ok(())
    }

    fn done(&mut self, verb: &str, stored: Stored) {
        self.session.out.note(&format!("{verb} {}", name(&stored.record)));
        self.written.push(stored);
    }

    fn failed(&self, failure: Failure) -> Failure {
        if self.written.is_empty() {
            return failure;
        }
        // The error counts, also where nobody reads this.
        let _ = self.session.out.written(&self.written, self.array);
        part_is_done(self.session, self.verb, failure)
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
