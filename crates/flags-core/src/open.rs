//! Records that keep the members they do not know.
//!
//! `#[serde(flatten)]` cannot do it on reading: it buffers through a form that has no place for exact
//! JSON text. So a record derives serde as usual, under `#[serde(remote = "Self")]`, and
//! [`open_record!`] wraps what was derived: members named by the derive go to it, the others into
//! the record's [`Extra`], in one pass and without a buffer.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, Error as ValueError, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Serialize, forward_to_deserialize_any};

use crate::json::Json;

/// The members of a record that this version does not know, kept as their exact text and written back.
///
/// An older writer never destroys a newer one's data this way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Extra(BTreeMap<String, Json>);

impl Extra {
    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// Sets a member, returning what it was. A name that the record knows makes the next write
    /// [`Invalid`](crate::ErrorKind::Invalid); so does, in the typed API, the reserved `revision`.
    pub fn insert(&mut self, name: impl Into<String>, value: Json) -> Option<Json> {
        self.0.insert(name.into(), value)
    }

    /// Removes a member, returning what it was.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        self.0.remove(name)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The members in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// Implements serde's traits for a record with an `extra` member that derives them with `remote = "Self"`.
macro_rules! open_record {
    ($Record:ident) => {
        impl serde::Serialize for $Record {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::open::refuse_known(&self.extra, |probe| $Record::deserialize(probe).map(drop))
                    .map_err(serde::ser::Error::custom)?;
                // Resolves to the derived inherent function, not to this method.
                $Record::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Record {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut extra = $crate::open::Extra::default();
                let mut record =
                    $Record::deserialize($crate::open::Open { inner: deserializer, extra: &mut extra })?;
                record.extra = extra;
                Ok(record)
            }
        }
    };
}
pub(crate) use open_record;

/// The deserializer that a record's derived code reads from.
pub(crate) struct Open<'a, D> {
    pub(crate) inner: D,
    pub(crate) extra: &'a mut Extra,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Open<'_, D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(OpenVisitor { fields, visitor, extra: self.extra })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct OpenVisitor<'a, V> {
    fields: &'static [&'static str],
    visitor: V,
    extra: &'a mut Extra,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for OpenVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(OpenMap { map, fields: self.fields, extra: self.extra })
    }
}

/// Yields the known members and sets the others aside.
struct OpenMap<'a, A> {
    map: A,
    fields: &'static [&'static str],
    extra: &'a mut Extra,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OpenMap<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = seed;
        loop {
            let read = Name { fields: self.fields, seed };
            match self.map.next_key_seed(read)? {
                None => return Ok(None),
                Some(Read::Known(known)) => return Ok(Some(known)),
                Some(Read::Unknown(name, unused)) => {
                    seed = unused;
                    let value = self.map.next_value()?;
                    self.extra.insert(name, value);
                }
            }
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// A member's name: handed on to the derived code when it knows it.
struct Name<K> {
    fields: &'static [&'static str],
    seed: K,
}

enum Read<T, K> {
    Known(T),
    Unknown(String, K),
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Name<K> {
    type Value = Read<K::Value, K>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for Name<K> {
    type Value = Read<K::Value, K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<F: serde::de::Error>(self, name: &'de str) -> Result<Self::Value, F> {
        if self.fields.contains(&name) {
            self.seed.deserialize(BorrowedStrDeserializer::new(name)).map(Read::Known)
        } else {
            Ok(Read::Unknown(name.to_owned(), self.seed))
        }
    }

    fn visit_str<F: serde::de::Error>(self, name: &str) -> Result<Self::Value, F> {
        if self.fields.contains(&name) {
            self.seed.deserialize(StrDeserializer::new(name)).map(Read::Known)
        } else {
            Ok(Read::Unknown(name.to_owned(), self.seed))
        }
    }
}

/// Refuses unknown members that bear the name of a known one: the JSON would hold that name twice.
///
/// `derived` is the record's derived reading, asked for nothing but the names it knows.
pub(crate) fn refuse_known(
    extra: &Extra,
    derived: impl FnOnce(FieldNames<'_>) -> Result<(), ValueError>,
) -> Result<(), String> {
    if extra.is_empty() {
        return Ok(());
    }
    let mut fields: &'static [&'static str] = &[];
    // The probe never yields a value, so this never is `Ok`.
    let _ = derived(FieldNames(&mut fields));
    match extra.iter().find(|(name, _)| fields.contains(name)) {
        Some((name, _)) => Err(format!("the unknown member `{name}` has the name of a known one")),
        None => Ok(()),
    }
}

/// A deserializer that learns which members a derived reading knows, and then fails.
pub(crate) struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = ValueError;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, ValueError> {
        *self.0 = fields;
        Err(serde::de::Error::custom("only the names were asked for"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, ValueError> {
        Err(serde::de::Error::custom("only the names were asked for"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
