//! Errors with a next step, and the exit codes.

use std::error::Error as _;
use std::io;
use std::process::ExitCode;

use feature_flags::{Error, ErrorKind, Key, Kind};
use serde::Serialize;

use crate::place::Place;

/// What a command ends with. `flags help exit-codes` describes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Conflict = 4,
    Unavailable = 5,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// One word, finer than the exit code.
    pub(crate) kind: &'static str,
    /// The record it is about, as `kind:name`.
    pub(crate) key: Option<String>,
    /// What went wrong.
    pub(crate) message: String,
    /// The next step, where it depends on nothing else.
    pub(crate) hint: Option<String>,
    /// It depends on where the store is.
    of_place: Option<OfPlace>,
}

/// What went wrong between this program and the store.
#[derive(Debug, Clone, Copy)]
enum OfPlace {
    Unreached,
    Denied,
}

impl Failure {
    fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self { exit, kind, key: None, message: message.into(), hint: None, of_place: None }
    }

    /// The command line, or what it stands for, is wrong.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message).with_hint(hint)
    }

    /// What was read from a file is wrong.
    pub(crate) fn input(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Failed, "invalid", message).with_hint(hint)
    }

    /// What the store itself warns of.
    pub(crate) fn health(warning: impl Into<String>) -> Self {
        Self::new(Exit::Ok, "health", warning)
    }

    /// Somebody pressed Ctrl-C.
    pub(crate) fn interrupted(hint: impl Into<String>) -> Self {
        Self::new(Exit::Interrupted, "interrupted", "interrupted").with_hint(hint)
    }

    /// Whoever read our output has seen enough: no failure to tell anybody of.
    pub(crate) fn is_silent(&self) -> bool {
        self.kind == BROKEN_PIPE
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        (self.hint, self.of_place) = (Some(hint.into()), None);
        self
    }

    /// The next step, with a store at that place.
    pub(crate) fn hint_at(&self, place: Place) -> Option<String> {
        match self.of_place {
            None => self.hint.clone(),
            Some(OfPlace::Unreached) => Some(place.unreached()),
            Some(OfPlace::Denied) => Some(place.denied().to_owned()),
        }
    }

    /// What `--json` prints; `operation` is the command.
    pub(crate) fn to_json(&self, operation: Option<&str>, place: Place) -> serde_json::Result<String> {
        let Self { kind, key, message, .. } = self;
        let hint = self.hint_at(place);
        let (key, hint) = (key.as_deref(), hint.as_deref());
        serde_json::to_string(&Object { kind, operation, key, message, hint })
    }

    /// Names the record.
    pub(crate) fn about(mut self, key: Option<&Key>) -> Self {
        self.key = key.map(ToString::to_string);
        self
    }
}

/// The error object.
#[derive(Serialize)]
struct Object<'a> {
    kind: &'a str,
    operation: Option<&'a str>,
    key: Option<&'a str>,
    message: &'a str,
    hint: Option<&'a str>,
}

const BROKEN_PIPE: &str = "broken_pipe";

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Ok, BROKEN_PIPE, "nobody reads the output"),
            _ => Self::new(Exit::Failed, "io", error.to_string()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let mut message = error.field().map_or_else(String::new, |field| format!("{field}: "));
        message.push_str(error.reason());
        let mut cause = error.source();
        while let Some(because) = cause {
            message.push_str(&format!(": {because}"));
            cause = because.source();
        }
        let mut failure = Self::new(exit_of(error.kind()), error.kind().as_str(), message).about(error.key());
        failure.hint = hint(error);
        failure.of_place = match error.kind() {
            ErrorKind::Unavailable => Some(OfPlace::Unreached),
            ErrorKind::Denied => Some(OfPlace::Denied),
            _ => None,
        };
        failure
    }
}

fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::AlreadyExists | ErrorKind::Conflict => Exit::Conflict,
        ErrorKind::Unavailable | ErrorKind::Indeterminate => Exit::Unavailable,
        _ => Exit::Failed,
    }
}

/// What a hint begins with where the call that failed was certainly not applied.
pub(crate) const NOTHING_CHANGED: &str = "nothing was changed";

/// The next step, where it is the same for every store.
fn hint(error: &Error) -> Option<String> {
    let noun = error.key().map_or("flag", |key| noun(key.kind()));
    Some(match error.kind() {
        ErrorKind::NotFound => match error.field() {
            None if noun == "override" => "`flags override list KEY` shows what there is".to_owned(),
            Some(_) => "`flags flag list` shows the flags that there are".to_owned(),
            None => format!("`flags {noun} list` shows what there is"),
        },
        ErrorKind::AlreadyExists => format!("to change it: `flags {noun} update`"),
        ErrorKind::Conflict if error.is_stale() => {
            format!("read it again with `flags {noun} get --json`, and repeat the edit")
        }
        ErrorKind::Corrupt => "`flags doctor` names all that cannot be read; a record can be replaced or \
                               deleted without being read"
            .to_owned(),
        ErrorKind::Indeterminate => "the write may have been applied: look before you repeat it".to_owned(),
        ErrorKind::Invalid => format!("{NOTHING_CHANGED}; correct it, and repeat the command"),
        _ => return None,
    })
}

/// What the command line calls a kind of record.
pub(crate) fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::ScheduledChange => "schedule",
        Kind::TimeSchedule => "window",
        Kind::RolloutPhase => "phase",
        other => other.as_str(),
    }
}
