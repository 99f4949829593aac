//! [`Key`] and [`Alias`]: the names by which a record is found.

use std::fmt;
use std::str::FromStr;

use super::Kind;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{
    EntityId, EntityType, FlagId, FlagKey, RolloutPhaseId, ScheduledChangeId, SegmentId, SegmentName,
    TimeScheduleId,
};

/// The primary name of a record, unique in a store.
///
/// `Display` is its text form, `kind:name`, and `FromStr` reads it; an override's name is its flag's id,
/// entity type and entity id, separated by colons, unambiguously, since the first two hold none. Its length
/// is what [`Limits::key_bytes`](crate::storage::Limits::key_bytes) bounds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is the kind of that name")]
pub enum Key {
    Flag(FlagKey),
    Override(FlagId, EntityType, EntityId),
    ScheduledChange(ScheduledChangeId),
    TimeSchedule(TimeScheduleId),
    RolloutPhase(RolloutPhaseId),
    Segment(SegmentId),
}

impl Key {
    /// The kind of record that it names.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Flag(_) => Kind::Flag,
            Self::Override(..) => Kind::Override,
            Self::ScheduledChange(_) => Kind::ScheduledChange,
            Self::TimeSchedule(_) => Kind::TimeSchedule,
            Self::RolloutPhase(_) => Kind::RolloutPhase,
            Self::Segment(_) => Kind::Segment,
        }
    }

    /// The length of the text form, in bytes.
    #[must_use]
    pub fn text_len(&self) -> usize {
        const UUID: usize = 36;
        let name = match self {
            Self::Flag(key) => key.as_str().len(),
            Self::Override(_, entity_type, entity_id) => {
                UUID + 1 + entity_type.as_str().len() + 1 + entity_id.as_str().len()
            }
            _ => UUID,
        };
        self.kind().as_str().len() + 1 + name
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.kind())?;
        match self {
            Self::Flag(key) => write!(f, "{key}"),
            Self::Override(flag_id, entity_type, entity_id) => {
                write!(f, "{flag_id}:{entity_type}:{entity_id}")
            }
            Self::ScheduledChange(id) => write!(f, "{id}"),
            Self::TimeSchedule(id) => write!(f, "{id}"),
            Self::RolloutPhase(id) => write!(f, "{id}"),
            Self::Segment(id) => write!(f, "{id}"),
        }
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text)
            .ok_or_else(|| Error::new(ErrorKind::Invalid, "not the text form of a key; write kind:name"))
    }
}

fn parse(text: &str) -> Option<Key> {
    let (kind, name) = text.split_once(':')?;
    let kind = Kind::ALL.into_iter().find(|k| k.as_str() == kind)?;
    Some(match kind {
        Kind::Flag => Key::Flag(name.parse().ok()?),
        Kind::Override => {
            let mut parts = name.splitn(3, ':');
            Key::Override(id(parts.next()?)?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?)
        }
        Kind::ScheduledChange => Key::ScheduledChange(id(name)?),
        Kind::TimeSchedule => Key::TimeSchedule(id(name)?),
        Kind::RolloutPhase => Key::RolloutPhase(id(name)?),
        Kind::Segment => Key::Segment(id(name)?),
    })
}

/// An id in its one spelling: two texts never stand for one key.
fn id<T: FromStr + fmt::Display>(text: &str) -> Option<T> {
    text.parse().ok().filter(|id: &T| id.to_string() == text)
}

/// The second unique name of a record (C7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Alias {
    /// A flag's id, bound to its key for life.
    FlagId(FlagId),
    /// A segment's name. It may change.
    SegmentName(SegmentName),
}

impl Alias {
    /// The kind of record that it names.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::FlagId(_) => Kind::Flag,
            Self::SegmentName(_) => Kind::Segment,
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlagId(id) => write!(f, "flag id {id}"),
            Self::SegmentName(name) => write!(f, "segment name {name}"),
        }
    }
}
