//! [`Document`].

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Flag, Override, RolloutPhase, ScheduledChange, Segment, TimeSchedule};
use crate::open::{Extra, open_record};
use crate::record::Record;
use crate::record::codec::{as_stored, member};

/// Every record of a store, as one JSON object: `version`, and a list for each kind.
///
/// The lists are in the order of the records' keys, so that two documents can be compared line by line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Document {
    /// The version of the format.
    #[serde(deserialize_with = "known_version")]
    version: u32,
    /// The flags.
    #[serde(default)]
    pub flags: Vec<Flag>,
    /// The overrides.
    #[serde(default)]
    pub overrides: Vec<Override>,
    /// The scheduled changes.
    #[serde(default)]
    pub scheduled_changes: Vec<ScheduledChange>,
    /// The time schedules.
    #[serde(default)]
    pub time_schedules: Vec<TimeSchedule>,
    /// The rollout phases.
    #[serde(default)]
    pub rollout_phases: Vec<RolloutPhase>,
    /// The segments.
    #[serde(default)]
    pub segments: Vec<Segment>,
    /// Members that this version does not know.
    #[serde(flatten, skip_deserializing)]
    pub extra: Extra,
}

open_record!(Document);

fn known_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        Document::VERSION => Ok(Document::VERSION),
        other => Err(D::Error::custom(format!(
            "version {other} of the format is not known; this is version {}",
            Document::VERSION
        ))),
    }
}

impl Default for Document {
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            flags: Vec::new(),
            overrides: Vec::new(),
            scheduled_changes: Vec::new(),
            time_schedules: Vec::new(),
            rollout_phases: Vec::new(),
            segments: Vec::new(),
            extra: Extra::default(),
        }
    }
}

impl Document {
    /// The one version of the format so far. A reader refuses a newer one rather than lose what it does not
    /// know.
    pub const VERSION: u32 = 1;

    /// Reads a document. It may begin with a byte order mark, as some editors have it, and its
    /// records may have been printed with their `revision`, which is left out.
    ///
    /// # Errors
    ///
    /// `Invalid`, naming the member by its path: `flags[3].rules[0].priority`.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let invalid = || Error::new(ErrorKind::Invalid, "not a document of flags; see the cause");
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let mut document: Self = serde_path_to_error::deserialize(&mut deserializer).map_err(|e| {
            let invalid = match member(e.path()) {
                Some(member) => invalid().with_field(member),
                None => invalid(),
            };
            invalid.with_source(e.into_inner())
        })?;
        deserializer.end().map_err(|e| invalid().with_source(e))?;
        document.flags.iter_mut().for_each(as_stored);
        document.overrides.iter_mut().for_each(as_stored);
        document.scheduled_changes.iter_mut().for_each(as_stored);
        document.time_schedules.iter_mut().for_each(as_stored);
        document.rollout_phases.iter_mut().for_each(as_stored);
        document.segments.iter_mut().for_each(as_stored);
        Ok(document)
    }

    /// The document as text, indented for people, ending in a line feed.
    ///
    /// # Errors
    ///
    /// `Invalid` when an unknown member bears the name of a known one.
    pub fn to_json(&self) -> Result<String> {
        let mut json = serde_json::to_string_pretty(self).map_err(|e| {
            Error::new(ErrorKind::Invalid, "a record has no JSON form; see the cause").with_source(e)
        })?;
        json.push('\n');
        Ok(json)
    }

    /// Every record, flags first, then what they own, then segments.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        fn records<T: Clone + Into<Record>>(list: &[T]) -> impl Iterator<Item = Record> {
            list.iter().cloned().map(Into::into)
        }
        records(&self.flags)
            .chain(records(&self.overrides))
            .chain(records(&self.scheduled_changes))
            .chain(records(&self.time_schedules))
            .chain(records(&self.rollout_phases))
            .chain(records(&self.segments))
    }

    /// Adds a record.
    pub fn push(&mut self, record: Record) {
        use std::sync::Arc;
        match record {
            Record::Flag(flag) => self.flags.push(Arc::unwrap_or_clone(flag)),
            Record::Override(o) => self.overrides.push(Arc::unwrap_or_clone(o)),
            Record::ScheduledChange(change) => self.scheduled_changes.push(Arc::unwrap_or_clone(change)),
            Record::TimeSchedule(schedule) => self.time_schedules.push(Arc::unwrap_or_clone(schedule)),
            Record::RolloutPhase(phase) => self.rollout_phases.push(Arc::unwrap_or_clone(phase)),
            Record::Segment(segment) => self.segments.push(Arc::unwrap_or_clone(segment)),
        }
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flags.len()
            + self.overrides.len()
            + self.scheduled_changes.len()
            + self.time_schedules.len()
            + self.rollout_phases.len()
            + self.segments.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
