//! A record as far as it was given, to be written over one that is stored.

use feature_flags::storage::Revision;
use feature_flags::{FlagId, Json, Key, Kind, Record};
use serde::de::DeserializeOwned;

use super::{Object, decode, defaults, missing_member, new_record, revision};
use crate::failure::{Failure, noun};

/// The members that were named: the others stay as they are stored, and null clears one.
pub(crate) struct Partial {
    kind: Kind,
    object: Object,
    /// Which record it was read from.
    pub(crate) revision: Option<Revision>,
}

impl Partial {
    /// Takes the revision apart. What is wrong whatever is stored is found here, before anything is written.
    pub(crate) fn new(kind: Kind, mut object: Object) -> Result<Self, Failure> {
        let revision = revision(&mut object)?;
        match new_record(kind, object.clone(), None) {
            Err(failure) if missing_member(&failure.message).is_none() => Err(failure),
            _ => Ok(Self { kind, object, revision }),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// A member, if it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.object.get(name).filter(|json| !json.is_null())
    }

    pub(crate) fn set(&mut self, name: &str, value: Json) {
        self.object.set(name, value);
    }

    /// Which record it is about.
    pub(crate) fn key(&self) -> Result<Key, Failure> {
        Ok(match self.kind {
            Kind::Flag => Key::Flag(self.naming("key")?),
            Kind::Override => {
                Key::Override(self.naming("flag_id")?, self.naming("entity_type")?, self.naming("entity_id")?)
            }
            Kind::ScheduledChange => Key::ScheduledChange(self.naming("id")?),
            Kind::TimeSchedule => Key::TimeSchedule(self.naming("id")?),
            Kind::RolloutPhase => Key::RolloutPhase(self.naming("id")?),
            Kind::Segment => Key::Segment(self.naming("id")?),
            other => {
                return Err(Failure::input(format!("{other}: not known"), "a later version may know it"));
            }
        })
    }

    /// A member that names the record.
    fn naming<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        let noun = noun(self.kind);
        let wrong = |what: String| {
            Failure::input(
                format!("{name}: {what}"),
                format!("the {noun} that changes is named as `flags {noun} get --json` prints it"),
            )
        };
        let Some(json) = self.get(name) else {
            return Err(wrong("is missing, and says what to change".to_owned()));
        };
        json.to().map_err(|error| {
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            wrong(cause.split(" at line ").next().unwrap_or_default().to_owned())
        })
    }

    /// The stored record with the members that are named.
    pub(crate) fn over(&self, stored: &Record) -> Result<Record, Failure> {
        let mut merged: Object = serde_json::from_slice(&stored.encode()?)
            .map_err(|error| Failure::input(error.to_string(), "report this"))?;
        let mut named = self.object.clone();
        // It is stamped when it is written, and says nothing about whether there is anything to write.
        named.remove("updated_at");
        defaults::parts(self.kind, &mut named, Some(&merged))?;
        merged.extend(named);
        decode(self.kind, &merged)
    }

    /// A new record.
    pub(crate) fn create(&self, owner: Option<FlagId>) -> Result<Record, Failure> {
        new_record(self.kind, self.object.clone(), owner)
    }

    /// In the place of a record that cannot be read, from which nothing can be taken over.
    pub(crate) fn whole(&self) -> Result<Record, Failure> {
        let incomplete = |member: &str| {
            Failure::input(
                format!("{member}: is missing, and the stored record cannot be read to take it over"),
                "give the whole record, or delete the stored one first",
            )
        };
        let record =
            decode(self.kind, &self.object).map_err(|failure| match missing_member(&failure.message) {
                Some(member) => incomplete(member),
                None => failure,
            })?;
        // What is written always has the members that a record of this kind has.
        let encoded: Object = serde_json::from_slice(&record.encode()?)
            .map_err(|error| Failure::input(error.to_string(), "report this"))?;
        match encoded.names().find(|name| self.object.get(name).is_none()) {
            Some(missing) => Err(incomplete(missing).about(Some(&record.key()))),
            None => Ok(record),
        }
    }
}

#[cfg(test)]
mod tests {
    use feature_flags::Flag;

    use super::*;

    fn partial(json: &str) -> Partial {
        let object = serde_json::from_str(json).expect("an object");
        Partial::new(Kind::Flag, object).expect("a part of a flag")
    }

    fn stored() -> Record {
        let json = r#"{"id": "44e0d14d-66b4-4eb5-bbc6-eebac2dbba0b", "key": "k", "name": "n", "description": "d",
            "flag_type": "boolean", "status": "inactive", "default_enabled": true, "tags": ["t"], "color": 1e400,
            "rules": [{"id": "00000000-0000-4000-8000-000000000001", "name": "a", "priority": 0, "enabled": true,
                "serve_enabled": true}, {"id": "00000000-0000-4000-8000-000000000002", "name": "b", "priority": 1,
                "enabled": true, "serve_enabled": true}], "created_at": "2026-01-01T00:00:00+00:00"}"#;
        Record::decode_kind(Kind::Flag, json.as_bytes()).expect("a flag")
    }

    fn over(json: &str) -> Flag {
        match partial(json).over(&stored()).expect("a flag") {
            Record::Flag(flag) => (*flag).clone(),
            other => panic!("{other:?} is no flag"),
        }
    }

    #[test]
    fn what_is_not_named_stays_and_null_clears() {
        let Record::Flag(before) = stored() else { panic!("it is a flag") };
        assert_eq!(over(r#"{"key": "k"}"#), *before);
        let mut after = over(r#"{"key": "k", "description": null, "tags": null, "status": "active"}"#);
        assert_eq!((after.description.clone(), after.tags.len(), after.status.as_str()), (None, 0, "active"));
        assert_eq!(after.extra.get("color").map(Json::text), Some("1e400"));
        after.description.clone_from(&before.description);
        after.tags.clone_from(&before.tags);
        after.status = before.status;
        assert_eq!(after, *before);
    }

    #[test]
    fn a_rule_without_an_id_is_the_stored_one_of_its_name() {
        let Record::Flag(before) = stored() else { panic!("it is a flag") };
        let ids = |rules: &str| {
            let flag = over(&format!(r#"{{"key": "k", "rules": {rules}}}"#));
            flag.rules.iter().map(|rule| rule.id).collect::<Vec<_>>()
        };
        let (a, b) = (before.rules[0].id, before.rules[1].id);
        assert_eq!(ids(r#"[{"name": "b"}, {"name": "a"}]"#), [b, a]);
        let twice = ids(r#"[{"name": "a"}, {"name": "a"}]"#);
        assert!(twice[0] == a && twice[1] != a && twice[1] != b, "{twice:?}");
        let named = ids(&format!(r#"[{{"name": "a"}}, {{"name": "a", "id": "{a}"}}]"#));
        assert!(named[0] != a && named[1] == a, "{named:?}");
    }

    #[test]
    fn it_names_the_record_and_is_otherwise_right() {
        let key = partial(r#"{"key": "k"}"#).key().expect("it is named");
        assert_eq!(key.to_string(), "flag:k");
        let nameless = partial(r#"{"name": "n"}"#).key().expect_err("which?");
        assert!(nameless.message.starts_with("key: is missing"), "{}", nameless.message);
        let object = serde_json::from_str(r#"{"key": "k", "status": "paused"}"#).expect("an object");
        assert!(Partial::new(Kind::Flag, object).is_err());
    }
}
