//! Records to bytes and back.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use super::{Key, Kind, Model, Record};
use crate::error::{Error, ErrorKind, Result};
use crate::validate::RESERVED_MEMBER;

impl Record {
    /// The stored form: the record's JSON, in UTF-8.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] when an unknown member bears the name of a known one.
    pub fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|source| {
            Error::new(ErrorKind::Invalid, "the record has no JSON form; see the cause")
                .with_key(self.key())
                .with_source(source)
        })
    }

    /// The record that `bytes`, found under `key`, stands for.
    ///
    /// The member [`revision`](crate::validate::RESERVED_MEMBER) is of printed records, and no part
    /// of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`], naming the key and the member, when the bytes are no record of that kind or
    /// name another key (C5). The caller adds the revision.
    pub fn decode(key: &Key, bytes: &[u8]) -> Result<Self> {
        let record = Self::decode_kind(key.kind(), bytes).map_err(|error| error.with_key(key.clone()))?;
        if record.key() == *key {
            Ok(record)
        } else {
            Err(Error::new(ErrorKind::Corrupt, "the stored record names another key; repair or delete it")
                .with_key(key.clone()))
        }
    }

    /// Like [`decode`](Self::decode), for a record whose key is known from its body alone: an import's.
    ///
    /// # Errors
    ///
    /// The member's path and the cause.
    pub fn decode_kind(kind: Kind, bytes: &[u8]) -> Result<Self> {
        match kind {
            Kind::Flag => decode(bytes).map(Self::Flag),
            Kind::Override => decode(bytes).map(Self::Override),
            Kind::ScheduledChange => decode(bytes).map(Self::ScheduledChange),
            Kind::TimeSchedule => decode(bytes).map(Self::TimeSchedule),
            Kind::RolloutPhase => decode(bytes).map(Self::RolloutPhase),
            Kind::Segment => decode(bytes).map(Self::Segment),
        }
    }
}

/// The wire form, **with `serde_json` alone**: see [`Json`](crate::Json).
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(record) => record.serialize(serializer),
            Self::Override(record) => record.serialize(serializer),
            Self::ScheduledChange(record) => record.serialize(serializer),
            Self::TimeSchedule(record) => record.serialize(serializer),
            Self::RolloutPhase(record) => record.serialize(serializer),
            Self::Segment(record) => record.serialize(serializer),
        }
    }
}

fn decode<T: Model>(bytes: &[u8]) -> Result<Arc<T>> {
    let mut record: T = serde_json::from_slice(bytes).map_err(|error| locate::<T>(bytes, error))?;
    as_stored(&mut record);
    Ok(Arc::new(record))
}

/// Leaves out what a record carries when it is printed, and somebody pasted.
pub(crate) fn as_stored<T: Model>(record: &mut T) {
    record.extra_mut().remove(RESERVED_MEMBER);
}

/// The path of a member; `None` for the whole, and where the JSON itself is broken.
pub(crate) fn member(path: &serde_path_to_error::Path) -> Option<String> {
    let whole = path.iter().all(|segment| matches!(segment, serde_path_to_error::Segment::Unknown));
    (!whole).then(|| path.to_string())
}

/// Reads again, slowly, to learn which member is at fault: only corrupt records pay for it.
fn locate<T: DeserializeOwned>(bytes: &[u8], error: serde_json::Error) -> Error {
    let corrupt = Error::new(ErrorKind::Corrupt, "the stored record cannot be read; repair or delete it");
    match serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(bytes)) {
        Err(located) => {
            let corrupt = match member(located.path()) {
                Some(member) => corrupt.with_field(member),
                None => corrupt,
            };
            corrupt.with_source(located.into_inner())
        }
        Ok(_) => corrupt.with_source(error),
    }
}
