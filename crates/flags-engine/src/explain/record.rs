//! Writes an explanation while a decision is made.

use flags_core::{Json, Timestamp};

use super::{
    ConditionStep, Explanation, Found, Outcome, OverrideStep, RolloutStep, RuleStep, ScheduleStep,
    VariantShare, VariantStep, Verdict,
};
use crate::condition::Condition;
use crate::context::EvaluationContext;
use crate::evaluator::Evaluator;
use crate::flag::{CompiledFlag, CompiledRule, Variants};
use crate::observe::Observer;
use crate::overrides::CompiledOverride;
use crate::raised::Raised;
use crate::ruleset::Ruleset;
use crate::schedule::CompiledSchedule;

/// Decides a flag and tells how.
pub(crate) fn explain(
    evaluator: &Evaluator<'_, '_>,
    ruleset: &Ruleset,
    context: &EvaluationContext,
    at: Timestamp,
    key: &str,
) -> Explanation {
    let mut recorder = Recorder {
        context,
        at,
        conditions: Vec::new().into_iter(),
        overrides: Vec::new(),
        time_schedules: Vec::new(),
        rules: Vec::new(),
        variants: None,
    };
    let decision = evaluator.observed(key, &mut recorder);
    Explanation {
        flag: key.to_owned(),
        status: decision.metadata.map(|metadata| metadata.status),
        semantics: ruleset.semantics(),
        at,
        overrides: recorder.overrides,
        time_schedules: recorder.time_schedules,
        rules: recorder.rules,
        variants: recorder.variants,
        decision: Outcome {
            value: decision.value.map(crate::Answer::to_json),
            reason: decision.reason,
            variant: decision.variant.map(str::to_owned),
            error_code: decision.error_code(),
            error_message: decision.error.map(|error| error.to_string()),
        },
    }
}

struct Recorder<'c> {
    context: &'c EvaluationContext,
    at: Timestamp,
    /// Those of the rule that is being tried.
    conditions: std::vec::IntoIter<Json>,
    overrides: Vec<OverrideStep>,
    time_schedules: Vec<ScheduleStep>,
    rules: Vec<RuleStep>,
    variants: Option<VariantStep>,
}

impl From<Result<bool, Raised>> for Verdict {
    fn from(holds: Result<bool, Raised>) -> Self {
        match holds {
            Ok(true) => Self::Yes,
            Ok(false) => Self::No,
            Err(raised) => Self::Error(raised.to_string()),
        }
    }
}

impl Observer for Recorder<'_> {
    fn override_looked_up(
        &mut self,
        entity_type: &str,
        entity_id: &str,
        found: Option<(&CompiledOverride, bool)>,
    ) {
        let found = match found {
            None => Found::Nothing,
            Some((_, true)) => Found::Expired,
            Some((_, false)) => Found::Override,
        };
        let (entity_type, entity_id) = (entity_type.to_owned(), entity_id.to_owned());
        self.overrides.push(OverrideStep { entity_type, entity_id, found });
    }

    fn schedule(&mut self, schedule: &CompiledSchedule, active: Result<bool, Raised>) {
        let name = schedule.record().name.clone();
        self.time_schedules.push(ScheduleStep { name, verdict: active.into() });
    }

    fn rule(&mut self, flag: &CompiledFlag, rule: &CompiledRule) {
        let Some(record) = flag.rule(rule) else { return };
        let conditions: Vec<Json> = record.conditions.iter().map(|each| each.json().clone()).collect();
        self.conditions = conditions.into_iter();
        self.rules.push(RuleStep {
            id: record.id,
            name: record.name.clone(),
            priority: record.priority,
            enabled: record.enabled,
            conditions: Vec::new(),
            rollout: None,
            matched: false,
        });
    }

    fn condition(&mut self, condition: &Condition, holds: Result<bool, Raised>) {
        let Some(json) = self.conditions.next() else { return };
        let verdict = if condition.is_skipped() { Verdict::PassedOver } else { holds.into() };
        let actual = condition.actual(self.context, self.at).to_json();
        if let Some(rule) = self.rules.last_mut() {
            rule.conditions.push(ConditionStep { condition: json, actual, verdict });
        }
    }

    fn rollout(&mut self, bucket: Option<u32>, percentage: i64, within: bool) {
        if let Some(rule) = self.rules.last_mut() {
            rule.rollout = Some(RolloutStep { bucket, percentage, within });
        }
    }

    fn rule_matched(&mut self) {
        if let Some(rule) = self.rules.last_mut() {
            rule.matched = true;
        }
    }

    fn variants(&mut self, flag: &CompiledFlag, variants: &Variants, bucket: u64) {
        let clamped = |upto: i128| i64::try_from(upto).unwrap_or(if upto < 0 { i64::MIN } else { i64::MAX });
        let share = |variant| {
            let key = flag.variant(variant).map(|record| record.key.clone()).unwrap_or_default();
            VariantShare { key, below: clamped(variant.upto()) }
        };
        let variants_of_flag = variants.each().map(share).collect();
        self.variants = Some(VariantStep { bucket, buckets: variants.total(), variants: variants_of_flag });
    }
}
