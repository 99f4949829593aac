//! What became of a record, on one line.

use feature_flags::Record;
use feature_flags::storage::Stored;
use serde_json::value::RawValue;

use super::{clean, json};
use crate::failure::Failure;

/// How many characters of a value are shown.
const SHOWN: usize = 40;

/// `status "active" -> "archived", tags [] -> ["web"]`; the members that only say when are left out.
pub(crate) fn changes(before: Option<&Stored>, after: Option<&Stored>) -> Result<String, Failure> {
    let (before, after) = match (before, after) {
        (None, None) => return Ok("deleted".to_owned()),
        (Some(_), None) => return Ok("deleted".to_owned()),
        (None, Some(_)) => return Ok("written".to_owned()),
        (Some(before), Some(after)) => (members(&before.record)?, members(&after.record)?),
    };
    let value = |members: &Members, name: &str| {
        members
            .iter()
            .find(|(known, _)| known == name)
            .map_or("nothing".to_owned(), |(_, value)| short(value))
    };
    let names =
        before.iter().chain(after.iter().filter(|(name, _)| before.iter().all(|(known, _)| known != name)));
    let mut changed = Vec::new();
    for (name, _) in names.filter(|(name, _)| name != "updated_at") {
        let (old, new) = (value(&before, name), value(&after, name));
        if old != new {
            changed.push(format!("{} {old} -> {new}", clean(name)));
        }
    }
    Ok(if changed.is_empty() { "written again".to_owned() } else { changed.join(", ") })
}

type Members = Vec<(String, String)>;

/// The members in their order, each with its JSON.
fn members(record: &Record) -> Result<Members, Failure> {
    let encoded = json::encode(record)?;
    let members: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&encoded).map_err(std::io::Error::from)?;
    Ok(members.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect())
}

fn short(value: &str) -> String {
    let mut short: String = clean(value).chars().take(SHOWN).collect();
    if value.chars().count() > SHOWN {
        short.push('…');
    }
    short
}
