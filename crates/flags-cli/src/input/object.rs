//! JSON objects whose values keep their exact text.

use std::collections::BTreeMap;
use std::fmt;

use feature_flags::Json;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The members of a record before it is one, each once.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Object(BTreeMap<String, Json>);

impl Object {
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn set(&mut self, name: &str, value: Json) {
        self.0.insert(name.to_owned(), value);
    }

    /// Sets a member that is not there.
    pub(crate) fn fill(&mut self, name: &str, value: impl FnOnce() -> Json) {
        if !self.0.contains_key(name) {
            self.set(name, value());
        }
    }

    /// Sets the members of another one.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Json> {
        self.0.remove(name)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(object) => Ok(object),
            OneOrMany::Many(_) => Err(D::Error::custom("an array where an object should be")),
        }
    }
}

/// An object, or an array of them.
#[derive(Debug)]
pub(crate) enum OneOrMany {
    One(Object),
    Many(Vec<Object>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = OneOrMany;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OneOrMany, A::Error> {
        let mut object = Object::default();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            if object.get(&name).is_some() {
                return Err(A::Error::custom(format!("the member `{name}` is there twice")));
            }
            object.set(&name, value);
        }
        Ok(OneOrMany::One(object))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
        let mut objects = Vec::new();
        while let Some(object) = items.next_element()? {
            objects.push(object);
        }
        Ok(OneOrMany::Many(objects))
    }
}
