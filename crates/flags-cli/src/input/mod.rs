//! Records from files and standard input.

mod defaults;
mod object;
mod partial;

use std::io::Read as _;
use std::path::Path;

use feature_flags::storage::Revision;
use feature_flags::validate::RESERVED_MEMBER;
use feature_flags::{FlagId, Json, Kind, Record};

pub(crate) use object::Object;
use object::OneOrMany;
pub(crate) use partial::Partial;

use crate::failure::{Failure, noun};

/// What a file held: one record, or a list of them.
pub(crate) struct Batch<T> {
    pub(crate) items: Vec<T>,
    /// Whether it was an array, and the answer is one.
    pub(crate) array: bool,
}

impl<T> Batch<T> {
    /// What becomes of each item.
    pub(crate) fn try_map<U>(self, map: impl FnMut(T) -> Result<U, Failure>) -> Result<Batch<U>, Failure> {
        let items = self.items.into_iter().map(map).collect::<Result<_, _>>()?;
        Ok(Batch { items, array: self.array })
    }
}

/// The bytes of a file; `-` is standard input.
pub(crate) fn bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    let hint = "name a file that exists, or `-` for standard input";
    read.map_err(|error| Failure::input(format!("{} cannot be read: {error}", file.display()), hint))?;
    Ok(bytes)
}

/// The objects in a file.
pub(crate) fn objects(file: &Path) -> Result<Batch<Object>, Failure> {
    let read: Result<OneOrMany, _> = serde_json::from_slice(&bytes(file)?);
    match read {
        Ok(OneOrMany::One(object)) => Ok(Batch { items: vec![object], array: false }),
        Ok(OneOrMany::Many(items)) => Ok(Batch { items, array: true }),
        Err(error) => Err(Failure::input(
            format!("{} holds neither a record nor an array of records: {error}", file.display()),
            "a record is a JSON object, as `get --json` prints it",
        )),
    }
}

/// A new record: what is not given gets its default, and `revision` is of no interest.
pub(crate) fn new_record(kind: Kind, mut object: Object, owner: Option<FlagId>) -> Result<Record, Failure> {
    object.remove(RESERVED_MEMBER);
    defaults::fill(kind, &mut object, owner)?;
    decode(kind, &object).map_err(|failure| match missing_member(&failure.message) {
        Some("flag_id") => failure.with_hint("--flag KEY says whose it is"),
        _ => failure,
    })
}

/// Takes the `revision` out of an object.
fn revision(object: &mut Object) -> Result<Option<Revision>, Failure> {
    match object.remove(RESERVED_MEMBER) {
        None => Ok(None),
        Some(json) if json.is_null() => Ok(None),
        Some(json) => json.to().map(|text: String| Some(Revision::new(text))).map_err(|_| {
            Failure::input(
                "revision: must be a string",
                "give it as `get --json` printed it, or leave it out",
            )
        }),
    }
}

/// The member that the decoder missed.
fn missing_member(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

fn decode(kind: Kind, object: &Object) -> Result<Record, Failure> {
    let json = Json::new(object).map_err(|error| Failure::input(error.to_string(), "correct the record"))?;
    Record::decode_kind(kind, json.text().as_bytes()).map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
        // The place is in a text that we put together, not in the file.
        let cause = cause.split(" at line ").next().unwrap_or_default();
        let member = error.field().map_or_else(String::new, |field| format!("{field}: "));
        Failure::input(
            format!("{member}{cause}"),
            format!("correct the record; `flags {} --help` has an example", noun(kind)),
        )
    })
}
