//! Every operator, in both semantics: a value for which it holds and one for which it does not.

mod common;

use common::{condition_holds, flag_with};
use flags_core::validate::{OPERATORS, SEGMENT_OPERATORS};
use flags_core::{Segment, SegmentName};
use flags_engine::Semantics::{Compat, Strict};
use flags_engine::{EvaluationContext, Ruleset};
use serde_json::{Value, json};

/// Operator, expected value, a value that passes and one that does not.
fn table() -> Vec<(&'static str, Value, Value, Value)> {
    let july = "2026-07-01T12:00:00Z";
    vec![
        ("eq", json!("NL"), json!("NL"), json!("BE")),
        ("ne", json!("NL"), json!("BE"), json!("NL")),
        ("gt", json!(17), json!(17.5), json!(17)),
        ("gte", json!(17), json!(17), json!(16)),
        ("lt", json!(17), json!(16), json!(17)),
        ("lte", json!(17), json!(17), json!(17.5)),
        ("in", json!(["NL", "BE"]), json!("BE"), json!("US")),
        ("not_in", json!(["NL", "BE"]), json!("US"), json!("BE")),
        ("contains", json!("admin"), json!(["dev", "admin"]), json!(["dev"])),
        ("not_contains", json!("admin"), json!("developer"), json!("an admin")),
        ("starts_with", json!("ann"), json!("anna"), json!("joanna")),
        ("ends_with", json!("@example.com"), json!("ann@example.com"), json!("ann@example.org")),
        ("matches", json!(r"[a-z]+@example\.com$"), json!("ann@example.com"), json!("ann@example.com.nl")),
        ("semver_eq", json!("1.2.0"), json!("1.2.0"), json!("1.2.1")),
        ("semver_gt", json!("1.9.0"), json!("1.10.0"), json!("1.9.0")),
        ("semver_lt", json!("1.10.0"), json!("1.9.0"), json!("1.10.0")),
        ("date_after", json!("2026-07-01"), json!(july), json!("2026-06-30T23:59:59Z")),
        ("date_before", json!(july), json!("2026-07-01T11:59:59Z"), json!(july)),
        (
            "time_window",
            json!({"start": "09:00", "end": "17:00"}),
            json!(july),
            json!("2026-07-01T08:59:59Z"),
        ),
    ]
}

/// What the strict semantics adds.
fn strict_table() -> Vec<(&'static str, Value, Value, Value)> {
    vec![
        ("semver_gte", json!("1.2.0"), json!("1.2.0"), json!("1.1.9")),
        ("semver_lte", json!("1.2.0"), json!("1.2.0"), json!("1.2.1")),
        ("cidr", json!("10.0.0.0/8"), json!("10.20.30.40"), json!("11.0.0.1")),
    ]
}

#[test]
fn each_holds_and_does_not() {
    for semantics in [Compat, Strict] {
        let added = if semantics == Strict { strict_table() } else { Vec::new() };
        for (operator, value, passes, fails) in table().into_iter().chain(added) {
            let condition = json!({"attribute": "x", "operator": operator, "value": value});
            assert!(condition_holds(semantics, condition.clone(), passes), "{semantics:?} {operator}");
            assert!(!condition_holds(semantics, condition, fails), "{semantics:?} {operator}");
        }
    }
}

#[test]
fn members_and_others_of_a_segment() {
    let mut benelux = Segment::new(SegmentName::new("benelux").expect("a name"));
    benelux.conditions.push(flags_core::Condition::new("country", "in", ["NL", "BE", "LU"]));
    for semantics in [Compat, Strict] {
        for named in [json!("benelux"), json!(benelux.id.to_string())] {
            for (operator, country, want) in [
                ("in_segment", "NL", true),
                ("in_segment", "US", false),
                ("not_in_segment", "NL", false),
                ("not_in_segment", "US", true),
            ] {
                let condition = json!({"attribute": "x", "operator": operator, "value": named});
                let ruleset = Ruleset::builder(semantics).flag(flag_with(condition)).segment(benelux.clone());
                let context = EvaluationContext::builder().country(country).build();
                let value = ruleset.build().evaluator(&context, common::AT).boolean("flag", false).value;
                assert_eq!(value, want, "{semantics:?} {operator} {named} {country}");
            }
        }
    }
}

/// A new operator has to come here too.
#[test]
fn none_is_left_out() {
    let tested: Vec<&str> = table().into_iter().chain(strict_table()).map(|row| row.0).collect();
    for operator in OPERATORS {
        assert!(tested.contains(&operator) || SEGMENT_OPERATORS.contains(&operator), "{operator}");
    }
}

#[test]
fn what_follows_a_date_is_a_time() {
    let holds = |actual: &str| {
        let condition = json!({"attribute": "x", "operator": "date_after", "value": "2020-01-01"});
        condition_holds(Compat, condition, json!(actual))
    };
    for text in ["2026-07-01", "20260701", "2026-W27-3", "2026-W27", "2026-07-01 12", "20260701x12:00"] {
        assert!(holds(text), "{text:?}");
    }
    for text in
        ["2026-07-01\n", "2026-07-01 ", "2026-07-01T", "2026-07-011", "20260701x", "2026-W27t", "2026-W27-3-"]
    {
        assert!(!holds(text), "{text:?}");
    }
}
