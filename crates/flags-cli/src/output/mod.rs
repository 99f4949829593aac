//! What commands print: data on standard output, everything else on standard error.

#[cfg(unix)]
mod access;
mod changes;
mod diff;
mod executed;
mod json;
mod live;
mod progress;
mod show;
mod sink;
mod table;
mod text;
mod tree;

use std::collections::HashMap;
use std::io::{self, BufWriter, Write as _};

use console::style;
use feature_flags::storage::Stored;
use feature_flags::{FlagId, Key, Kind};
use serde::Serialize;
use serde_json::value::RawValue;

pub(crate) use changes::{DELETED, WRITTEN, WRITTEN_AGAIN, changes};
pub(crate) use diff::diff;
pub(crate) use executed::Outcome;
pub(crate) use json::one_line;
pub(crate) use live::Live;
pub(crate) use progress::{Counted, Progress};
pub(crate) use sink::{Sink, followed};
pub(crate) use text::{clean, count, second};
pub(crate) use tree::tree;

use crate::failure::{Exit, Failure};
use crate::place::Place;

/// The keys of flags by their ids, for tables that show records of several flags.
pub(crate) type FlagNames = HashMap<FlagId, String>;

/// Where and in which form a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    /// What the user called, as in `flag get`.
    operation: Option<&'static str>,
    /// Where the store is.
    place: Place,
}

/// A change, for programs.
#[derive(Serialize)]
struct Changed<'a> {
    change: &'static str,
    key: String,
    record: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Output {
    /// About no store, or one at a server.
    pub(crate) fn new(json: bool, operation: Option<&'static str>) -> Self {
        Self { json, operation, place: Place::Server }
    }

    /// About a store at that place.
    pub(crate) fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// The next step after a failure.
    pub(crate) fn hint(self, failure: &Failure) -> Option<String> {
        failure.hint_at(self.place)
    }

    /// Whether a program reads it.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a failure, and says what to end with.
    pub(crate) fn failure(self, failure: &Failure) -> Exit {
        if !failure.is_silent() {
            self.complain("error", failure);
        }
        failure.exit
    }

    /// Prints something that the command got over.
    pub(crate) fn warning(self, failure: &Failure) {
        self.complain("warning", failure);
    }

    fn complain(self, how: &str, failure: &Failure) {
        if self.json {
            let object =
                failure.to_json(self.operation, self.place).unwrap_or_else(|_| failure.message.clone());
            tell(&format!("{object}\n"));
            return;
        }
        let how = style(format!("{how}:")).for_stderr().bold();
        let how = if failure.exit == Exit::Ok { how.yellow() } else { how.red() };
        let about = failure.key.as_ref().map_or_else(String::new, |key| format!("{key}: "));
        tell(&format!("{how} {}\n", clean(&format!("{about}{}", failure.message))));
        if let Some(hint) = self.hint(failure) {
            tell(&format!("{} {}\n", style("hint:").for_stderr().bold(), clean(&hint)));
        }
    }

    /// Tells people, and people only, what was done.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            tell(&format!("{}\n", clean(text)));
        }
    }

    /// Shows people, and people only, what was changed.
    pub(crate) fn note_diff(self, before: &Stored, after: &Stored) -> Result<(), Failure> {
        if !self.json {
            tell(&diff(Some(&before.record), Some(&after.record), true)?);
        }
        Ok(())
    }

    /// Prints text that is there to be read.
    pub(crate) fn text(self, text: &str) -> Result<Exit, Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
        Ok(Exit::Ok)
    }

    /// Prints one value as JSON.
    pub(crate) fn value(self, value: &impl Serialize) -> Result<Exit, Failure> {
        let mut text = serde_json::to_string(value).map_err(io::Error::from)?;
        text.push('\n');
        self.text(&text)
    }

    /// Prints one record.
    pub(crate) fn record(self, stored: &Stored, names: &FlagNames) -> Result<Exit, Failure> {
        if self.json {
            self.text(&format!("{}\n", json::indent(&json::record(stored)?)))
        } else {
            self.text(&show::record(stored, names)?)
        }
    }

    /// Prints what was written, for programs.
    pub(crate) fn written(self, written: &[Stored], array: bool) -> Result<Exit, Failure> {
        match written {
            _ if !self.json => Ok(Exit::Ok),
            [one] if !array => self.record(one, &FlagNames::new()),
            many => self.array(many),
        }
    }

    /// Prints a listing.
    pub(crate) fn records(self, kind: Kind, records: &[Stored], names: &FlagNames) -> Result<Exit, Failure> {
        if self.json {
            return self.array(records);
        }
        if records.is_empty() {
            self.note("none");
            return Ok(Exit::Ok);
        }
        self.text(&table::table(kind, records, names))
    }

    /// Prints that a record changed, for programs; each change is a line.
    pub(crate) fn change(
        self,
        key: &Key,
        after: Option<&Stored>,
        error: Option<&str>,
    ) -> Result<Exit, Failure> {
        let record = after.map(json::record).transpose()?;
        let record = record.map(RawValue::from_string).transpose().map_err(io::Error::from)?;
        self.value(&Changed { change: "changed", key: key.to_string(), record, error })
    }

    /// Prints what became of something that was due, on a line.
    pub(crate) fn executed(self, outcome: &Outcome, record: Option<&Stored>) -> Result<Exit, Failure> {
        if !self.json {
            return self.text(&outcome.line(record));
        }
        let record = record.map(json::record).transpose()?;
        let record = record.map(RawValue::from_string).transpose().map_err(io::Error::from)?;
        self.value(&outcome.object(record))
    }

    /// An array, a record a line.
    fn array(self, records: &[Stored]) -> Result<Exit, Failure> {
        let mut stdout = BufWriter::new(io::stdout().lock());
        let mut separator = "[\n";
        for stored in records {
            write!(stdout, "{separator}{}", json::record(stored)?)?;
            separator = ",\n";
        }
        stdout.write_all(if records.is_empty() { b"[]\n" } else { b"\n]\n" })?;
        stdout.flush()?;
        Ok(Exit::Ok)
    }
}

/// Writes on standard error. Where nobody reads it, the command goes on: it may be in the middle of its work.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
