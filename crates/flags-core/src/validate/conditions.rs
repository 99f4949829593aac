//! Conditions: known operators, with what they look at.

use super::{Problem, reserved};
use crate::model::Condition;

/// The operators that compare an attribute of the evaluation context.
///
/// All but the last three are the origin's; those are for the strict semantics.
pub const OPERATORS: [&str; 22] = [
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "not_in",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "matches",
    "semver_eq",
    "semver_gt",
    "semver_lt",
    "date_after",
    "date_before",
    "time_window",
    "semver_gte",
    "semver_lte",
    "cidr",
];

/// The operators whose value names a segment; they look at no attribute.
pub const SEGMENT_OPERATORS: [&str; 2] = ["in_segment", "not_in_segment"];

/// What is wrong with the conditions of the record at `path`, which ends in a dot or is empty.
pub(super) fn problems(path: &str, conditions: &[Condition]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for condition in conditions {
        // Without its place: an edit that moves a condition makes no new problem of an old one.
        let problem = |member: &str, reason: &str| {
            Problem::new(format!("{path}conditions{member}"), reason, condition.json())
        };
        let Ok(parts) = condition.parts() else {
            problems.push(problem("", "a condition is no object of attribute, operator and value"));
            continue;
        };
        let operator = parts.operator.as_deref().unwrap_or("eq");
        if SEGMENT_OPERATORS.contains(&operator) {
            // The value names the segment; whether it exists is not for one record to know.
        } else if !OPERATORS.contains(&operator) {
            let known = [&OPERATORS[..], &SEGMENT_OPERATORS[..]].concat().join(", ");
            problems.push(problem(".operator", &format!("no such operator; use one of {known}")));
        } else if parts.attribute.as_deref().unwrap_or_default().is_empty() {
            problems.push(problem(".attribute", "names no attribute"));
        }
        problems.extend(reserved(&format!("{path}conditions."), &parts.extra));
    }
    problems
}
