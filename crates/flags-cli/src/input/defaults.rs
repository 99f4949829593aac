//! What a new record is where nobody says otherwise.
//!
//! The defaults go into the JSON before it is decoded, so that members which this version does not know are
//! kept.

use feature_flags::{FlagId, Json, Kind};

use super::Object;
use crate::failure::Failure;

/// Fills in what is not given.
pub(super) fn fill(kind: Kind, object: &mut Object, owner: Option<FlagId>) -> Result<(), Failure> {
    object.fill("id", new_id);
    if let Some(owner) = owner {
        object.fill("flag_id", || owner.to_string().into());
    }
    parts(kind, object, None)?;
    match kind {
        Kind::Flag => flag(object),
        Kind::Override => object.fill("enabled", || true.into()),
        Kind::TimeSchedule => {
            object.fill("recurrence_type", || "daily".into());
            // As the origin reads them: from midnight, until the end of the day.
            object.fill("start_time", Json::null);
            object.fill("end_time", Json::null);
        }
        _ => {}
    }
    Ok(())
}

/// Every id is a UUID, whatever it is the id of.
fn new_id() -> Json {
    FlagId::new().to_string().into()
}

fn flag(object: &mut Object) {
    if let Some(key) = object.get("key").cloned() {
        object.fill("name", || key);
    }
    object.fill("flag_type", || "boolean".into());
    object.fill("status", || "active".into());
    object.fill("default_enabled", || false.into());
}

/// Completes the rules and variants of a flag, if it names any; in the place of a stored flag's where there
/// is one.
pub(super) fn parts(kind: Kind, object: &mut Object, stored: Option<&Object>) -> Result<(), Failure> {
    if kind != Kind::Flag {
        return Ok(());
    }
    each(object, stored, ("rules", "name"), |index, rule| {
        rule.fill("name", || format!("rule {}", index + 1).into());
        rule.fill("priority", || Json::from(i64::try_from(index).unwrap_or(i64::MAX)));
        rule.fill("enabled", || true.into());
        rule.fill("serve_enabled", || true.into());
    })?;
    each(object, stored, ("variants", "key"), |_, variant| {
        if let Some(key) = variant.get("key").cloned() {
            variant.fill("name", || key);
        }
    })
}

/// The parts of a flag: each has an id, and more. One without an id is the stored part that is called the
/// same, so that writing the same again changes nothing; else it is a new one.
fn each(
    object: &mut Object,
    stored: Option<&Object>,
    (list, called): (&str, &str),
    more: impl Fn(usize, &mut Object),
) -> Result<(), Failure> {
    let Some(json) = object.get(list).filter(|json| !json.is_null()) else { return Ok(()) };
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::input(format!("{list}: {error}"), "`flags flag get --json` shows what it looks like")
    };
    let mut parts: Vec<Object> = json.to().map_err(|_| wrong(&"must be an array of objects"))?;
    let stored = stored.and_then(|object| object.get(list)).and_then(|json| json.to().ok());
    let mut known: Vec<Object> = stored.unwrap_or_default();
    known.retain(|known| parts.iter().all(|part| part.get("id") != known.get("id")));
    for (index, part) in parts.iter_mut().enumerate() {
        more(index, part);
        let part_name = part.get(called).cloned();
        part.fill("id", || {
            let same = known.iter().position(|known| known.get(called) == part_name.as_ref());
            same.and_then(|same| known.remove(same).remove("id")).unwrap_or_else(new_id)
        });
    }
    object.set(list, Json::new(&parts).map_err(|error| wrong(&error))?);
    Ok(())
}
