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
    for (place, condition) in conditions.iter().enumerate() {
        let field = format!("{path}conditions[{place}]");
        // The condition is part of the problem's text: an edit that moves an old one is no new problem.
        let problem = |member: &str, reason: String| {
            Problem::new(
                format!("{path}conditions{member}"),
                format!("{reason} (condition {})", condition.json()),
            )
        };
        let Ok(parts) = condition.parts() else {
            problems.push(problem("", "is no object of attribute, operator and value".to_owned()));
            continue;
        };
        let operator = parts.operator.as_deref().unwrap_or("eq");
        if SEGMENT_OPERATORS.contains(&operator) {
            // The value names the segment; whether it exists is not for one record to know.
        } else if !OPERATORS.contains(&operator) {
            let known = [&OPERATORS[..], &SEGMENT_OPERATORS[..]].concat().join(", ");
            problems.push(problem(".operator", format!("no operator {operator:?}; one of {known}")));
        } else if parts.attribute.as_deref().unwrap_or_default().is_empty() {
            problems.push(problem(".attribute", "names no attribute".to_owned()));
        }
        problems.extend(reserved(&format!("{field}."), &parts.extra));
    }
    problems
}
