//! One flag with one condition, one schedule, and what they decide.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(clippy::needless_pass_by_value, reason = "the values are literals, which read better without `&`")]

use flags_core::{Condition, Flag, FlagKey, Json, Rule, TimeSchedule, Timestamp};
use flags_engine::{CompiledSchedule, Decision, EvaluationContext, Reason, Ruleset, Semantics, Value};

pub(crate) const AT: Timestamp = Timestamp::UNIX_EPOCH;

/// A boolean flag, off, with one rule of one condition that turns it on.
pub(crate) fn flag_with(condition: serde_json::Value) -> Flag {
    let mut flag = Flag::new(FlagKey::new("flag").expect("a flag key"));
    flag.rules.push(Rule::new("rule").when(Condition::from_json(condition.into())));
    flag
}

/// What a decision says without borrowing.
pub(crate) struct Told {
    pub(crate) value: Option<Json>,
    pub(crate) reason: Reason,
    pub(crate) error_code: Option<&'static str>,
}

impl From<Decision<'_>> for Told {
    fn from(decision: Decision<'_>) -> Self {
        Self {
            value: decision.value.map(flags_engine::Answer::to_json),
            reason: decision.reason,
            error_code: decision.error_code().map(flags_engine::ErrorCode::as_str),
        }
    }
}

/// What such a flag answers.
pub(crate) fn answer(
    semantics: Semantics,
    condition: serde_json::Value,
    context: &EvaluationContext,
) -> Told {
    let ruleset = Ruleset::builder(semantics).flag(flag_with(condition)).build();
    ruleset.evaluator(context, AT).decide("flag").into()
}

/// Whether a condition on the attribute `x` holds, `x` being that; null is no attribute at all.
pub(crate) fn condition_holds(
    semantics: Semantics,
    condition: serde_json::Value,
    actual: serde_json::Value,
) -> bool {
    let actual = Value::try_from(&Json::from(actual)).expect("shallow JSON");
    let context = EvaluationContext::builder().attribute("x", actual).build();
    answer(semantics, condition, &context).reason == Reason::TargetingMatch
}

/// A daily schedule from 9 to 17 in UTC, with these members set otherwise.
pub(crate) fn schedule(semantics: Semantics, members: serde_json::Value) -> CompiledSchedule {
    let mut record = serde_json::json!({
        "id": "2b6c33d5-bee0-42e4-96f0-e7e9beff5cbf", "flag_id": "a1c93762-b26e-4d6f-bbec-ced428a0b872",
        "name": "s", "recurrence_type": "daily", "start_time": "09:00", "end_time": "17:00",
    });
    record.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
    let record: TimeSchedule = serde_json::from_value(record).expect("a schedule");
    CompiledSchedule::new(record.into(), semantics)
}

/// The instant that a text names.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}
