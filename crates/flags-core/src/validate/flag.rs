//! Flags: percentages, weights, and values that fit the flag's type.

use std::collections::{BTreeMap, HashSet};

use super::{PERCENTAGE, Problem, Validate, conditions, out_of, reserved};
use crate::json::{Json, JsonType};
use crate::model::{Flag, FlagType, Rule, Variant};

impl Validate for Flag {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(misfit("default_value", self.flag_type, self.default_value.as_ref()));
        for rule in &self.rules {
            rule_problems(self.flag_type, rule, &mut problems);
        }
        let mut keys = HashSet::new();
        for variant in &self.variants {
            variant_problems(self.flag_type, variant, &mut problems);
            if !keys.insert(&variant.key) {
                let field = format!("variants[{}].key", variant.key);
                problems.push(Problem::new(field, "another variant of the flag has this key"));
            }
        }
        problems.extend(reserved("", &self.extra));
        problems
    }
}

fn rule_problems(flag_type: FlagType, rule: &Rule, problems: &mut Vec<Problem>) {
    let path = format!("rules[{}].", rule.id);
    if let Some(percentage) = rule.rollout_percentage {
        problems.extend(out_of(format!("{path}rollout_percentage"), percentage, &PERCENTAGE));
    }
    problems.extend(misfit(&format!("{path}serve_value"), flag_type, rule.serve_value.as_ref()));
    problems.extend(conditions::problems(&path, &rule.conditions));
    problems.extend(reserved(&path, &rule.extra));
}

fn variant_problems(flag_type: FlagType, variant: &Variant, problems: &mut Vec<Problem>) {
    let path = format!("variants[{}].", variant.key);
    problems.extend(out_of(format!("{path}weight"), variant.weight, &(0..=i64::MAX)));
    let field = format!("{path}value");
    if flag_type == FlagType::Boolean {
        if !has_enabled(&variant.value) {
            let reason = "a variant of a boolean flag is an object whose `enabled` is true or false";
            problems.push(Problem::new(field, reason));
        }
    } else {
        problems.extend(misfit(&field, flag_type, Some(&variant.value)));
    }
    problems.extend(reserved(&path, &variant.extra));
}

fn has_enabled(value: &Json) -> bool {
    let members: Option<BTreeMap<String, Json>> = value.to().ok();
    members.is_some_and(|members| members.get("enabled").is_some_and(|e| e.json_type() == JsonType::Boolean))
}

/// Why a value is not one that a flag of that type can answer with. `null` always is.
fn misfit(field: &str, flag_type: FlagType, value: Option<&Json>) -> Option<Problem> {
    let wanted = match flag_type {
        FlagType::Boolean => JsonType::Boolean,
        FlagType::String => JsonType::String,
        FlagType::Number => JsonType::Number,
        FlagType::Json => return None,
    };
    let actual = value.map_or(JsonType::Null, Json::json_type);
    let fits = actual == JsonType::Null || actual == wanted;
    (!fits).then(|| {
        Problem::new(field, format!("a {flag_type} flag answers with {wanted} or null, not {actual}"))
    })
}
