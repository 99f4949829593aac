//! The order of a decision: status, overrides, time schedules, rules, variants, default.

use std::sync::Arc;

use crate::condition::{Condition, Facts};
use crate::details::{Decision, Details, EvaluationError, Failure, FlagMetadata, Reason};
use crate::flag::{CompiledFlag, CompiledRule};
use crate::observe::Observer;
use crate::overrides::Overrides;
use crate::raised::Raised;
use crate::ruleset::Entry;
use crate::schedule::CompiledSchedule;
use crate::semantics::Semantics;
use crate::served::Answer;

/// Decides a flag.
pub(crate) fn decide<'r>(
    entry: &'r Entry,
    facts: Facts<'_>,
    semantics: Semantics,
    observer: &mut impl Observer,
) -> Decision<'r> {
    let flag = &*entry.flag;
    let mut decision = steps(entry, facts, semantics, observer)
        .unwrap_or_else(|raised| Decision::failed(Reason::Error, Failure::Raised(raised)));
    if semantics == Semantics::Strict
        && let Some(answer) = decision.value
        && let Some(asked) = misfit(flag, answer)
    {
        let failure = Failure::TypeMismatch { asked, actual: answer.json_type() };
        decision = Decision::failed(Reason::Error, failure);
    }
    let record = &*flag.record;
    decision.metadata =
        Some(FlagMetadata { flag_type: record.flag_type, status: record.status, tags: &record.tags });
    decision
}

fn steps<'r>(
    entry: &'r Entry,
    facts: Facts<'_>,
    semantics: Semantics,
    observer: &mut impl Observer,
) -> Result<Decision<'r>, Raised> {
    let flag = &*entry.flag;
    if !flag.is_active() {
        let off = semantics == Semantics::Strict && flag.is_boolean();
        let answer = if off { Answer::bool(false) } else { flag.default() };
        return Ok(decided(answer, Reason::Disabled, None));
    }
    if let Some(decision) = by_override(entry, facts, observer) {
        return Ok(decision);
    }
    if let Some(schedules) = entry.schedules() {
        return by_schedule(flag, schedules, facts, observer);
    }
    for rule in &flag.rules {
        if let Some(decision) = by_rule(flag, rule, facts, observer)? {
            return Ok(decision);
        }
    }
    if let Some(variants) = &flag.variants {
        let targeting_key = facts.context.targeting_key().unwrap_or_default();
        if let Some((bucket, variant)) = variants.choose(flag.buckets.variant(targeting_key)) {
            observer.variants(flag, variants, bucket);
            let key = flag.variant(variant).map(|record| &*record.key);
            return Ok(decided(variant.answer()?, Reason::Split, key));
        }
    }
    Ok(decided(flag.default(), Reason::Static, None))
}

fn decided<'r>(answer: Answer<'r>, reason: Reason, variant: Option<&'r str>) -> Decision<'r> {
    Details {
        value: Some(answer),
        reason,
        variant,
        error: None::<EvaluationError>,
        rule: None,
        metadata: None,
    }
}

fn by_override<'r, O: Observer>(
    entry: &'r Entry,
    facts: Facts<'_>,
    observer: &mut O,
) -> Option<Decision<'r>> {
    let overrides = entry.overrides();
    if overrides.is_none() && !O::WATCHES {
        return None;
    }
    for (entity_type, entity_id, found) in Overrides::look_up(overrides, facts.context) {
        let found = found.map(|found| (found, found.is_expired(facts.at)));
        observer.override_looked_up(entity_type, entity_id, found);
        if let Some((found, false)) = found {
            return Some(decided(entry.flag.served(found.enabled(), found.value()), Reason::Override, None));
        }
    }
    None
}

/// A flag with schedules is on while one of them is active, and off otherwise: no rule is tried.
fn by_schedule<'r>(
    flag: &'r CompiledFlag,
    schedules: &'r [Arc<CompiledSchedule>],
    facts: Facts<'_>,
    observer: &mut impl Observer,
) -> Result<Decision<'r>, Raised> {
    for schedule in schedules {
        let active = schedule.active(facts.at);
        observer.schedule(schedule, active);
        if active? {
            let answer = if flag.is_boolean() { Answer::bool(true) } else { flag.default_value() };
            return Ok(decided(answer, Reason::TargetingMatch, Some(schedule.label())));
        }
    }
    let answer = if flag.is_boolean() { Answer::bool(false) } else { Answer::of(None) };
    Ok(decided(answer, Reason::Disabled, None))
}

fn by_rule<'r>(
    flag: &'r CompiledFlag,
    rule: &'r CompiledRule,
    facts: Facts<'_>,
    observer: &mut impl Observer,
) -> Result<Option<Decision<'r>>, Raised> {
    observer.rule(flag, rule);
    if !rule.enabled || !all_hold(&rule.conditions, facts, observer)? {
        return Ok(None);
    }
    if let Some(percentage) = rule.percentage {
        let bucket = facts.context.targeting_key().map(|key| flag.buckets.rollout(key));
        let within = bucket.is_some_and(|bucket| i64::from(bucket) <= percentage);
        observer.rollout(bucket, percentage, within);
        if !within {
            return Ok(None);
        }
    }
    observer.rule_matched();
    let Some(record) = flag.rule(rule) else { return Ok(None) };
    let mut decision = decided(flag.rule_answer(rule), Reason::TargetingMatch, Some(&record.name));
    decision.rule = Some(record.into());
    Ok(Some(decision))
}

fn all_hold(
    conditions: &[Condition],
    facts: Facts<'_>,
    observer: &mut impl Observer,
) -> Result<bool, Raised> {
    for condition in conditions {
        let holds = condition.holds(facts);
        observer.condition(condition, holds);
        if !holds? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the flag's type asks for, if the answer is not it. Null fits all but booleans.
fn misfit(flag: &CompiledFlag, answer: Answer<'_>) -> Option<&'static str> {
    use flags_core::FlagType;
    use flags_core::json::JsonType;
    let (asked, wanted) = match flag.record.flag_type {
        FlagType::Boolean => ("a boolean", JsonType::Boolean),
        FlagType::String => ("a string", JsonType::String),
        FlagType::Number => ("a number", JsonType::Number),
        _ => return None,
    };
    let fits = answer.json_type() == wanted || (answer.is_null() && wanted != JsonType::Boolean);
    (!fits).then_some(asked)
}
