//! Reading a document without losing the text of its records.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use flags_core::transfer::Document;
use flags_core::{
    EntityId, EntityType, FlagId, FlagKey, Key, Kind, RolloutPhaseId, ScheduledChangeId, SegmentId,
    TimeScheduleId,
};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::position::without_place;
use super::{Broken, LISTS, Position};

/// One record's place in the file: what it is called, and its exact text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) key: Key,
    pub(crate) text: &'a str,
}

/// A document taken apart.
#[derive(Debug, Default)]
pub(crate) struct Elements<'a> {
    pub(crate) records: Vec<Element<'a>>,
    /// Top-level members that we do not know, with their text.
    pub(crate) extra: BTreeMap<String, Arc<str>>,
}

/// Takes a document apart. `name` gives the key of a record by its text, as [`key_of`] does.
pub(crate) fn read<'a>(
    bytes: &'a [u8],
    mut name: impl FnMut(Kind, &str) -> Option<Key>,
) -> Result<Elements<'a>, Broken> {
    let text = utf8(bytes)?;
    if text.trim().is_empty() {
        let what = "the file is empty; an empty store is {\"version\": 1}";
        return Err(Broken::new(Position::at(text, 0), what));
    }
    let members: Members<'a> = serde_json::from_str(text).map_err(|error| Broken::json(text, &error))?;
    check_version(text, members.version)?;
    let mut records = Vec::new();
    let mut places: HashMap<Key, &str> = HashMap::new();
    for (kind, list) in LISTS {
        let elements = members.lists.get(&kind).map(Vec::as_slice).unwrap_or_default();
        for (n, record) in elements.iter().map(|raw| raw.get()).enumerate() {
            let Some(key) = name(kind, record) else {
                let why = key(kind, record).err().unwrap_or_default();
                let what = format!("{list}[{n}] does not say which record it is: {why}; {}", wanted(kind));
                return Err(Broken::new(Position::of(text, record), what));
            };
            if let Some(first) = places.insert(key.clone(), record) {
                let what =
                    format!("{key} is there twice, first at {}; remove one", Position::of(text, first));
                return Err(Broken::new(Position::of(text, record), what));
            }
            records.push(Element { key, text: record });
        }
    }
    Ok(Elements { records, extra: members.extra })
}

fn utf8(bytes: &[u8]) -> Result<&str, Broken> {
    // Some editors begin a file with a byte order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok());
        let good = good.unwrap_or_default();
        Broken::new(Position::at(good, good.len()), "not UTF-8 text")
    })
}

fn check_version(text: &str, version: Option<&RawValue>) -> Result<(), Broken> {
    let known = Document::VERSION;
    let Some(raw) = version else {
        let what = format!("the member `version` is missing; this is version {known} of the format");
        return Err(Broken::new(Position::at(text, 0), what));
    };
    match serde_json::from_str::<u32>(raw.get()) {
        Ok(version) if version == known => Ok(()),
        _ => {
            let what = format!("version {raw} of the format is not known; this is version {known}");
            Err(Broken::new(Position::of(text, raw.get()), what))
        }
    }
}

/// Which record a text is, as far as its names say, whatever else is wrong with it.
pub(crate) fn key_of(kind: Kind, text: &str) -> Option<Key> {
    key(kind, text).ok()
}

/// The same, with what is wrong with its names.
fn key(kind: Kind, text: &str) -> Result<Key, String> {
    #[derive(serde::Deserialize)]
    struct FlagName {
        key: FlagKey,
    }
    #[derive(serde::Deserialize)]
    struct OverrideName {
        flag_id: FlagId,
        entity_type: EntityType,
        entity_id: EntityId,
    }
    #[derive(serde::Deserialize)]
    struct Id<T> {
        id: T,
    }
    fn name<T: DeserializeOwned>(text: &str) -> Result<T, String> {
        serde_json::from_str(text).map_err(|error| without_place(&error))
    }
    Ok(match kind {
        Kind::Flag => Key::Flag(name::<FlagName>(text)?.key),
        Kind::Override => {
            let name = name::<OverrideName>(text)?;
            Key::Override(name.flag_id, name.entity_type, name.entity_id)
        }
        Kind::ScheduledChange => Key::ScheduledChange(name::<Id<ScheduledChangeId>>(text)?.id),
        Kind::TimeSchedule => Key::TimeSchedule(name::<Id<TimeScheduleId>>(text)?.id),
        Kind::RolloutPhase => Key::RolloutPhase(name::<Id<RolloutPhaseId>>(text)?.id),
        Kind::Segment => Key::Segment(name::<Id<SegmentId>>(text)?.id),
        other => return Err(format!("{other} is not known")),
    })
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "a flag has a `key`",
        Kind::Override => "an override has a `flag_id`, an `entity_type` and an `entity_id`",
        _ => "it has an `id`, a UUID of 36 characters",
    }
}

/// The members of the document, with the text of each record.
#[derive(Default)]
struct Members<'a> {
    version: Option<&'a RawValue>,
    lists: HashMap<Kind, Vec<&'a RawValue>>,
    extra: BTreeMap<String, Arc<str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `version` and the lists of records")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some(name) = map.next_key::<String>()? {
                    let kind = LISTS.iter().find(|(_, list)| *list == name).map(|(kind, _)| *kind);
                    let before = match kind {
                        Some(kind) => members.lists.insert(kind, map.next_value()?).is_some(),
                        None if name == "version" => members.version.replace(map.next_value()?).is_some(),
                        None => {
                            let value: &RawValue = map.next_value()?;
                            members.extra.insert(name.clone(), value.get().into()).is_some()
                        }
                    };
                    if before {
                        let what = format!("the member `{name}` is there twice; make them one");
                        return Err(A::Error::custom(what));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> String {
        read(text.as_bytes(), key_of).unwrap_err().to_string()
    }

    #[test]
    fn what_is_broken_is_told_by_line_and_column() {
        for (text, said) in [
            ("", "line 1, column 1: the file is empty"),
            ("{\"version\": 1,\n \"flags\": [\n", "line 3, column 1: EOF while parsing a list"),
            ("{\"version\": 1,\n<<<<<<< HEAD\n \"flags\": []}", "line 2, column 1: key must be a string"),
            ("[]", "invalid type: sequence, expected an object with `version`"),
            ("{}", "line 1, column 1: the member `version` is missing"),
            ("{\n\"version\": 2}", "line 2, column 12: version 2 of the format is not known"),
            ("{\"version\": 1,\n\"flags\": {}}", "line 2, column 9: invalid type: map"),
            (
                "{\"version\": 1,\n\"flags\": [], \"flags\": []}",
                "line 2, column 25: the member `flags` is there twice",
            ),
            (
                "{\"version\": 1,\n\"flags\": [{\"id\": 3}]}",
                "line 2, column 11: flags[0] does not say which record it is: missing field `key`; a flag has a `key`",
            ),
            (
                "{\"version\": 1, \"flags\": [{\"key\": \"a\", \"key\": \"b\"}]}",
                "is: duplicate field `key`; a flag",
            ),
            (
                "{\"version\": 1, \"flags\": [{\"key\": \"a\"},\n{\"key\": \"a\"}]}",
                "line 2, column 1: flag:a is there twice, first at line 1, column 26",
            ),
        ] {
            let came = broken(text);
            assert!(came.contains(said), "{text:?}: {came}");
        }
        assert!(read(b"{\n\xff", key_of).unwrap_err().to_string().contains("line 2, column 1: not UTF-8"));
    }

    #[test]
    fn text_is_kept_to_the_byte() {
        let text =
            "\u{feff}{\"version\": 1, \"flags\": [ {\"key\" : \"a\"\n} ], \"theirs\": {\"a\":  1e400}}";
        let elements = read(text.as_bytes(), key_of).expect("a document");
        assert_eq!(elements.records.len(), 1);
        assert_eq!(elements.records[0].text, "{\"key\" : \"a\"\n}");
        assert_eq!(&*elements.extra["theirs"], "{\"a\":  1e400}");
    }
}
