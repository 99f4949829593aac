//! A condition from its JSON.

use flags_core::Json;

use super::operator::Operator;
use super::{Condition, Test, compat, strict};
use crate::context::Lookup;
use crate::diagnostic::Report;
use crate::raised::Raised;
use crate::segment::SegmentRef;
use crate::semantics::Semantics;
use crate::value::{Object, Value, View, display};

/// Where a condition stands; the origin has an evaluator for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Rule,
    Segment,
}

/// Compiles conditions; what is wrong with them goes to the report, under the path of each.
pub(crate) fn compile(
    conditions: &[flags_core::Condition],
    semantics: Semantics,
    place: Place,
    path: &str,
    report: &mut Report,
) -> Box<[Condition]> {
    let each = conditions.iter().enumerate().map(|(number, condition)| {
        let mut problem = |message: String| report.add(format!("{path}conditions[{number}]"), message);
        match semantics {
            Semantics::Compat => compat(condition.json(), place, &mut problem),
            Semantics::Strict => strict(condition.json(), place, &mut problem),
        }
    });
    each.collect()
}

const NEVER: &str = "it never holds";
const SKIPPED: &str = "it is passed over, and the other conditions decide";

fn compat(json: &Json, place: Place, problem: &mut dyn FnMut(String)) -> Condition {
    let parsed = match read(json, problem) {
        Ok(parsed) => parsed,
        Err(Unreadable::TooDeep) => return Condition::new(Test::Never),
        Err(Unreadable::NoObject) => return Condition::new(Test::Raise(Raised::ConditionIsNoObject)),
    };
    let attribute = match parsed.get("attribute").map_or(View::Null, Value::view) {
        View::Null => {
            problem(format!("it names no attribute: {SKIPPED}"));
            return Condition::new(Test::Skip);
        }
        other => other,
    };
    let name = parsed.get("operator").map_or(Some("eq"), Value::as_str);
    let Some(operator) = name.and_then(|name| Operator::named(name, Semantics::Compat)) else {
        problem(format!("the operator is unknown: {SKIPPED}"));
        return Condition::new(Test::Skip);
    };
    let expected = parsed.get("value").unwrap_or(&Value::NULL);
    match (operator, place) {
        (Operator::Segment(member), Place::Rule) if !expected.is_null() => {
            let segment = SegmentRef::new(&display(expected.view()));
            return Condition::new(Test::Segment { segment, member });
        }
        (Operator::Segment(_), Place::Rule) => {
            problem(format!("it names no segment: {NEVER}"));
            return Condition::new(Test::Never);
        }
        _ => {}
    }
    let View::Str(attribute) = attribute else {
        problem("the name of its attribute is no text: the flag cannot be evaluated".to_owned());
        return Condition::new(Test::Raise(Raised::AttributeIsNoText));
    };
    if matches!(operator, Operator::Segment(_)) {
        problem(format!("a segment cannot refer to a segment, but as its parent: {NEVER}"));
        return Condition::new(Test::Never);
    }
    let test = compat::Test::new(operator, expected, place, problem);
    Condition::new(Test::Compat(Lookup::new(attribute), test))
}

fn strict(json: &Json, place: Place, problem: &mut dyn FnMut(String)) -> Condition {
    let Ok(parsed) = read(json, problem) else { return Condition::new(Test::Never) };
    let name = parsed.get("operator").map_or(Some("eq"), Value::as_str);
    let Some(operator) = name.and_then(|name| Operator::named(name, Semantics::Strict)) else {
        problem(format!("the operator is unknown: {NEVER}"));
        return Condition::new(Test::Never);
    };
    let negate = match parsed.get("negate").map_or(View::Null, Value::view) {
        View::Null => false,
        View::Bool(negate) => negate,
        _ => {
            problem(format!("`negate` is neither true nor false: {NEVER}"));
            return Condition::new(Test::Never);
        }
    };
    let expected = parsed.get("value").unwrap_or(&Value::NULL);
    let attribute = parsed.get("attribute").and_then(Value::as_str);
    let test = match (operator, expected.as_str(), attribute) {
        (Operator::Segment(_), _, _) if place == Place::Segment => {
            problem(format!("a segment cannot refer to a segment, but as its parent: {NEVER}"));
            Test::Never
        }
        (Operator::Segment(member), Some(name), _) => {
            Test::StrictSegment { segment: SegmentRef::new(name), member }
        }
        (Operator::Segment(_), None, _) => {
            problem(format!("it names no segment: {NEVER}"));
            Test::Never
        }
        (_, _, None) => {
            problem(format!("it names no attribute: {NEVER}"));
            Test::Never
        }
        (operator, _, Some(attribute)) => match strict::Test::new(operator, expected) {
            Ok(test) => Test::Strict(Lookup::new(attribute), test),
            Err(reason) => {
                problem(format!("{reason}: {NEVER}"));
                Test::Never
            }
        },
    };
    Condition { test, negate }
}

enum Unreadable {
    TooDeep,
    NoObject,
}

fn read(json: &Json, problem: &mut dyn FnMut(String)) -> Result<std::sync::Arc<Object>, Unreadable> {
    match Value::try_from(json) {
        Ok(Value(crate::value::Inner::Object(object))) => Ok(object),
        Ok(_) => {
            problem(format!("{}; it is {}", Raised::ConditionIsNoObject, json.json_type()));
            Err(Unreadable::NoObject)
        }
        Err(error) => {
            problem(format!("{error}: {NEVER}"));
            Err(Unreadable::TooDeep)
        }
    }
}
