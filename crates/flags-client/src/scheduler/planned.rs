//! [`Planned`]: a scheduled change or a rollout phase, and what it makes of its flag.

use std::sync::Arc;

use flags_core::storage::{Revision, Stored};
use flags_core::validate::Validate;
use flags_core::{
    ChangeType, Flag, FlagId, FlagStatus, Key, Record, RolloutPhase, ScheduledChange, Timestamp,
};

/// Something that is to happen to a flag at an instant.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    what: What,
    pub(super) revision: Revision,
}

#[derive(Debug, Clone)]
enum What {
    Change(Arc<ScheduledChange>),
    Phase(Arc<RolloutPhase>),
}

impl Planned {
    /// A record that is still to be executed; `None` of any other. One that has `executed_at` was
    /// executed, also where another writer left `executed` as it was: the origin goes by either.
    pub(super) fn new(stored: Stored) -> Option<Self> {
        let what = match stored.record {
            Record::ScheduledChange(change) if !change.executed && change.executed_at.is_none() => {
                What::Change(change)
            }
            Record::RolloutPhase(phase) if !phase.executed && phase.executed_at.is_none() => {
                What::Phase(phase)
            }
            _ => return None,
        };
        Some(Self { what, revision: stored.revision })
    }

    pub(super) fn key(&self) -> Key {
        match &self.what {
            What::Change(change) => Key::ScheduledChange(change.id),
            What::Phase(phase) => Key::RolloutPhase(phase.id),
        }
    }

    pub(super) fn flag_id(&self) -> FlagId {
        match &self.what {
            What::Change(change) => change.flag_id,
            What::Phase(phase) => phase.flag_id,
        }
    }

    pub(super) fn scheduled_at(&self) -> Timestamp {
        match &self.what {
            What::Change(change) => change.scheduled_at,
            What::Phase(phase) => phase.scheduled_at,
        }
    }

    /// What those of one flag are executed in the order of: time, then changes before phases, phases by
    /// their number, then the id.
    pub(super) fn order(&self) -> (Timestamp, Option<i64>, [u8; 16]) {
        let (number, id) = match &self.what {
            What::Change(change) => (None, change.id.as_uuid()),
            What::Phase(phase) => (Some(phase.phase_number), phase.id.as_uuid()),
        };
        (self.scheduled_at(), number, *id.as_bytes())
    }

    /// The flag as this leaves it; or why it cannot be applied.
    pub(super) fn applied_to(&self, flag: &Flag, now: Timestamp) -> Result<Flag, String> {
        let mut next = flag.clone();
        // A member that the change does not use is no reason to refuse it.
        let mut problems = Vec::new();
        match &self.what {
            What::Change(change) => {
                match change.change_type {
                    ChangeType::Enable => (next.status, next.default_enabled) = (FlagStatus::Active, true),
                    ChangeType::Disable => {
                        (next.status, next.default_enabled) = (FlagStatus::Inactive, false);
                    }
                    ChangeType::UpdateValue => match &change.new_value {
                        // The origin leaves the value alone then, too.
                        None => return Err("new_value: is absent, so the value stays as it is".to_owned()),
                        value => next.default_value.clone_from(value),
                    },
                    ChangeType::UpdateRollout => match change.new_rollout_percentage {
                        None => {
                            return Err("new_rollout_percentage: is absent, so nothing changes".to_owned());
                        }
                        percentage => {
                            roll_out(&mut next, percentage);
                            problems = change.problems();
                        }
                    },
                    other => return Err(format!("change_type: {other} is not known to this version")),
                }
            }
            What::Phase(phase) => {
                roll_out(&mut next, Some(phase.target_percentage));
                problems = phase.problems();
            }
        }
        let before = flag.problems();
        // What was wrong with the flag before is not this change's doing.
        let new = next.problems().into_iter().find(|problem| !before.contains(problem));
        if let Some(problem) = problems.into_iter().next().or(new) {
            return Err(problem.to_string());
        }
        next.updated_at = Some(now);
        Ok(next)
    }

    /// The record as done with; `error` says why it was not applied.
    pub(super) fn executed(&self, now: Timestamp, error: Option<String>) -> Record {
        match &self.what {
            What::Change(change) => {
                let mut done = ScheduledChange::clone(change);
                (done.executed, done.executed_at, done.updated_at) = (true, Some(now), Some(now));
                done.error = error;
                done.into()
            }
            What::Phase(phase) => {
                let mut done = RolloutPhase::clone(phase);
                (done.executed, done.executed_at, done.updated_at) = (true, Some(now), Some(now));
                done.error = error;
                done.into()
            }
        }
    }
}

/// Why the record was not applied, where it was executed and has such a reason; `None` where it was not
/// executed.
pub(super) fn outcome(record: &Record) -> Option<Option<&str>> {
    match record {
        Record::ScheduledChange(change) if change.executed => Some(change.error.as_deref()),
        Record::RolloutPhase(phase) if phase.executed => Some(phase.error.as_deref()),
        _ => None,
    }
}

fn roll_out(flag: &mut Flag, percentage: Option<i64>) {
    for rule in &mut flag.rules {
        rule.rollout_percentage = percentage;
    }
}
