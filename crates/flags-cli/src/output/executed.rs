//! What became of a scheduled change or a rollout phase that was due, on one line.

use feature_flags::storage::Stored;
use feature_flags::{ChangeType, Clock as _, FlagKey, Key, Record, SystemClock};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{clean, one_line, second};

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was applied to its flag.
    Applied { key: Key, flag: FlagKey },
    /// It could not be.
    Refused { key: Key, flag: Option<FlagKey>, reason: String },
    /// It was executed, and nobody knows by whom: the store did not answer.
    Settled(Key),
}

/// An outcome, for programs.
#[derive(Serialize)]
pub(super) struct Executed<'a> {
    outcome: &'static str,
    key: String,
    flag: Option<&'a str>,
    reason: Option<&'a str>,
    record: Option<Box<RawValue>>,
}

impl Outcome {
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::Applied { key, .. } | Self::Refused { key, .. } => key,
            Self::Settled(key) => key,
        }
    }

    /// For programs, with the record as JSON.
    pub(super) fn object(&self, record: Option<Box<RawValue>>) -> Executed<'_> {
        let (outcome, flag, reason) = match self {
            Self::Applied { flag, .. } => ("applied", Some(flag), None),
            Self::Refused { flag, reason, .. } => ("refused", flag.as_ref(), Some(reason.as_str())),
            Self::Settled(_) => ("settled", None, None),
        };
        Executed { outcome, key: self.key().to_string(), flag: flag.map(FlagKey::as_str), reason, record }
    }

    /// For people: `2026-03-01 09:00:02 new-checkout: enable (scheduled_change:2d93...)`.
    pub(super) fn line(&self, record: Option<&Stored>) -> String {
        let what = record.map_or_else(|| "executed".to_owned(), |stored| what(&stored.record));
        let text = match self {
            Self::Applied { flag, .. } => format!("{}: {what}", clean(flag.as_str())),
            Self::Refused { flag, reason, .. } => {
                let flag =
                    flag.as_ref().map_or_else(String::new, |flag| format!("{}: ", clean(flag.as_str())));
                format!("{flag}{what} refused: {}", clean(reason))
            }
            Self::Settled(_) => format!("{what}, by this scheduler or another one"),
        };
        format!("{} {text} ({})\n", second(SystemClock.now()), clean(&self.key().to_string()))
    }
}

/// What it does to its flag.
fn what(record: &Record) -> String {
    match record {
        Record::ScheduledChange(change) => match (change.change_type, &change.new_value) {
            (ChangeType::UpdateValue, Some(value)) => format!("update_value {}", clean(&one_line(value))),
            (ChangeType::UpdateRollout, _) => match change.new_rollout_percentage {
                Some(percentage) => format!("update_rollout {percentage}%"),
                None => "update_rollout".to_owned(),
            },
            (other, _) => other.to_string(),
        },
        Record::RolloutPhase(phase) => format!("phase {}, {}%", phase.phase_number, phase.target_percentage),
        other => other.kind().to_string(),
    }
}
