//! [`Segment`].

use serde::{Deserialize, Serialize};

use super::Condition;
use super::serde_with::{instant, null_as_default, null_as_true, yes};
use crate::name::{SegmentId, SegmentName};
use crate::open::{Extra, open_record};
use crate::time::Timestamp;

/// A named group of evaluation contexts that many rules can refer to.
///
/// A context is in it when all its conditions hold and the context is in its parent, if it has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// What rules call it by; unique (C7).
    pub name: SegmentName,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// All of them must hold.
    #[serde(default, deserialize_with = "null_as_default")]
    pub conditions: Vec<Condition>,
    /// The segment it narrows.
    #[serde(default)]
    pub parent_segment_id: Option<SegmentId>,
    /// Whether anyone is in it at all.
    #[serde(default = "yes", deserialize_with = "null_as_true")]
    pub enabled: bool,
    /// When it was created.
    #[serde(default, deserialize_with = "instant")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(default, deserialize_with = "instant")]
    pub updated_at: Option<Timestamp>,
    /// Members that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

open_record!(Segment);

impl Segment {
    /// An enabled segment without conditions or parent, with a new id.
    #[must_use]
    pub fn new(name: SegmentName) -> Self {
        Self {
            id: SegmentId::new(),
            name,
            description: None,
            conditions: Vec::new(),
            parent_segment_id: None,
            enabled: true,
            created_at: None,
            updated_at: None,
            extra: Extra::default(),
        }
    }
}
