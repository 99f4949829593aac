//! [`Notes`]: what an operator should look at.

use std::sync::Arc;

use flags_core::{Key, Kind};

use crate::document::Position;

/// How many of the records that need a look are named.
const MOST_NOTES: usize = 10;

/// What to say of a record whose alias another one has.
pub(crate) fn twin(key: &Key, place: Option<Position>, holder: &Key) -> String {
    let what = if key.kind() == Kind::Flag { "id" } else { "name" };
    let place = place.map_or_else(String::new, |place| format!(", at {place},"));
    format!("{key}{place} has the {what} of {holder}; give it one of its own")
}

/// The reason of an error, with its cause.
pub(crate) fn reason(error: &flags_core::Error) -> String {
    let field = error.field().map_or_else(String::new, |field| format!("{field}: "));
    match std::error::Error::source(error) {
        Some(cause) => format!("{field}{cause}"),
        None => format!("{field}{}", error.reason()),
    }
}

/// Notes for an operator, of which only the first are kept.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    kept: Vec<String>,
    left_out: usize,
}

impl Notes {
    pub(crate) fn add(&mut self, note: impl FnOnce() -> String) {
        if self.kept.len() < MOST_NOTES {
            self.kept.push(note());
        } else {
            self.left_out += 1;
        }
    }
}

impl From<Notes> for Arc<[String]> {
    fn from(mut notes: Notes) -> Self {
        if notes.left_out > 0 {
            notes.kept.push(format!("{} more records need a look", notes.left_out));
        }
        notes.kept.into()
    }
}
