//! Each row of the table in `docs::strict`.

#![allow(clippy::needless_pass_by_value, reason = "the values are literals, which read better without `&`")]

mod common;

use common::{AT, answer, at, condition_holds, flag_with, schedule};
use flags_core::{Flag, FlagStatus, FlagType, Json, Segment, SegmentName, Variant};
use flags_engine::Semantics::{Compat, Strict};
use flags_engine::{EvaluationContext, Reason, Ruleset};
use serde_json::{Value, json};

/// In the strict semantics, whether a condition on `x` holds.
fn holds(operator: &str, value: Value, actual: Value) -> bool {
    condition_holds(Strict, json!({"attribute": "x", "operator": operator, "value": value}), actual)
}

#[test]
fn what_cannot_be_judged_does_not_hold() {
    for condition in [
        json!({"attribute": "x", "operator": "no_such", "value": 1}),
        json!({"operator": "eq", "value": 1}),
        json!({"attribute": 5, "operator": "eq", "value": 1}),
        json!("x"),
        json!(null),
    ] {
        for negate in [false, true] {
            let mut condition = condition.clone();
            if let Some(members) = condition.as_object_mut() {
                members.insert("negate".to_owned(), negate.into());
            }
            let told = answer(Strict, condition, &EvaluationContext::builder().attribute("x", 1).build());
            assert_eq!((told.reason, told.error_code), (Reason::Static, None));
        }
    }
}

#[test]
fn a_missing_attribute_never_matches() {
    for operator in [
        "eq",
        "ne",
        "gt",
        "in",
        "not_in",
        "contains",
        "not_contains",
        "starts_with",
        "matches",
        "semver_lt",
        "date_before",
        "cidr",
    ] {
        let value =
            if operator.ends_with("in") && operator != "contains" { json!(["a"]) } else { json!("a") };
        assert!(!holds(operator, value, Value::Null), "{operator}");
    }
    assert!(condition_holds(Compat, json!({"attribute": "x", "operator": "ne", "value": 1}), Value::Null));
}

#[test]
fn values_of_different_types_do_not_match() {
    for (operator, value, actual) in [
        ("eq", json!(1), json!(true)),
        ("eq", json!("18"), json!(18)),
        ("ne", json!("18"), json!(18)),
        ("gt", json!("18"), json!(19)),
        ("in", json!("abc"), json!("a")),
        ("in", json!([1]), json!(true)),
        ("contains", json!(1), json!("1")),
        ("starts_with", json!("1"), json!(18)),
        ("matches", json!("1"), json!(18)),
        ("semver_eq", json!("1.5"), json!(1.5)),
    ] {
        assert!(!holds(operator, value.clone(), actual.clone()), "{actual} {operator} {value}");
    }
    assert!(holds("eq", json!(18), json!(18.0)));
    assert!(holds("gt", json!(17.5), json!(18)));
    assert!(holds("contains", json!("b"), json!(["a", "b"])));
    assert!(holds("not_in", json!(["a"]), json!("b")));
}

#[test]
fn a_later_rule_still_runs() {
    let mut flag = flag_with(json!({"attribute": "age", "operator": "gt", "value": "18"}));
    flag.rules.push(flags_core::Rule::new("everyone"));
    let context = EvaluationContext::builder().attribute("age", 20).build();
    for (semantics, variant) in [(Strict, Some("everyone")), (Compat, None)] {
        let ruleset = Ruleset::builder(semantics).flag(flag.clone()).build();
        assert_eq!(ruleset.evaluator(&context, AT).boolean("flag", false).variant, variant);
    }
}

#[test]
fn versions_have_the_precedence_of_semver() {
    for (operator, value, actual) in [
        ("semver_lt", "2.0.0", "2.0.0-rc.1"),
        ("semver_lt", "2.0.0-rc.10", "2.0.0-rc.2"),
        ("semver_eq", "v1.2", "1.2.0+build"),
        ("semver_gt", "1.9.0", "1.10"),
        ("semver_gte", "1.2.0", "1.2"),
        ("semver_lte", "1.2.0", "1.2"),
    ] {
        assert!(holds(operator, json!(value), json!(actual)), "{actual} {operator} {value}");
    }
    assert!(!holds("semver_lt", json!("2.0.0"), json!("1.2.3.4")));
}

#[test]
fn addresses_in_networks() {
    let office = json!(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]);
    for (address, want) in
        [("10.20.30.40", true), ("2001:db8::1", true), ("192.0.2.7", true), ("11.0.0.1", false), ("x", false)]
    {
        assert_eq!(holds("cidr", office.clone(), json!(address)), want, "{address}");
    }
    assert!(holds("cidr", json!("10.0.0.0/8"), json!("10.1.1.1")));
    assert!(!holds("cidr", json!("10.0.0.0/99"), json!("10.1.1.1")));
}

#[test]
fn negation_turns_an_answer_around() {
    let condition =
        |value: Value| json!({"attribute": "x", "operator": "starts_with", "value": value, "negate": true});
    assert!(condition_holds(Strict, condition(json!("a")), json!("b")));
    assert!(!condition_holds(Strict, condition(json!("a")), json!("ab")));
    assert!(!condition_holds(Strict, condition(json!("a")), json!(5)));
    assert!(!condition_holds(Strict, condition(json!("a")), Value::Null));
    assert!(condition_holds(Compat, condition(json!("a")), json!("ab")), "no meaning there");
}

#[test]
fn segments_that_are_missing_or_in_a_circle() {
    let mut alone = Segment::new(SegmentName::new("circle").expect("a name"));
    alone.parent_segment_id = Some(alone.id);
    for (name, compat) in [("nobody", true), ("circle", false)] {
        let condition = json!({"attribute": "x", "operator": "not_in_segment", "value": name});
        for (semantics, want) in [(Strict, false), (Compat, compat)] {
            let ruleset =
                Ruleset::builder(semantics).flag(flag_with(condition.clone())).segment(alone.clone()).build();
            let context = EvaluationContext::default();
            assert_eq!(
                ruleset.evaluator(&context, AT).boolean("flag", false).value,
                want,
                "{name}, {semantics:?}"
            );
            assert!(!ruleset.diagnostics().is_empty());
        }
    }
}

fn decide(semantics: flags_engine::Semantics, flag: &Flag) -> common::Told {
    let ruleset = Ruleset::builder(semantics).flag(flag.clone()).build();
    ruleset.evaluator(&EvaluationContext::default(), AT).decide("flag").into()
}

#[test]
fn an_inactive_boolean_flag_is_off() {
    let mut flag = flag_with(json!({}));
    flag.status = FlagStatus::Inactive;
    flag.default_enabled = true;
    for (semantics, want) in [(Strict, "false"), (Compat, "true")] {
        let told = decide(semantics, &flag);
        assert_eq!((told.value.expect("a value").text(), told.reason), (want, Reason::Disabled));
    }
}

#[test]
fn a_value_that_does_not_fit_is_a_type_mismatch() {
    let mut flag = flag_with(json!({}));
    flag.rules.clear();
    flag.flag_type = FlagType::String;
    flag.default_value = Some(Json::from(5));
    assert_eq!(decide(Strict, &flag).error_code, Some("TYPE_MISMATCH"));
    assert_eq!(decide(Compat, &flag).value.expect("a value").text(), "5");
    flag.default_value = None;
    assert_eq!(decide(Strict, &flag).error_code, None);
}

#[test]
fn weights_are_normalized() {
    let enabled = |on: bool| json!({"enabled": on}).into();
    let mut flag = flag_with(json!({}));
    flag.rules.clear();
    flag.variants = vec![Variant::new("a", enabled(true), 1), Variant::new("b", enabled(true), 3)];
    let share = |semantics| {
        let ruleset = Ruleset::builder(semantics).flag(flag.clone()).build();
        let chosen = |user: usize| {
            let context = EvaluationContext::builder().targeting_key(format!("user-{user}")).build();
            ruleset.evaluator(&context, AT).boolean("flag", false).variant == Some("a")
        };
        (0..4_000).filter(|user| chosen(*user)).count()
    };
    assert!((900..1_100).contains(&share(Strict)), "{}", share(Strict));
    assert!(share(Compat) < 100, "the last one gets the rest");
    flag.variants.iter_mut().for_each(|variant| variant.weight = 0);
    assert_eq!(decide(Strict, &flag).reason, Reason::Static);
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_it_opened() {
    // From Friday to Saturday.
    let friday =
        json!({"recurrence_type": "weekly", "days_of_week": [4], "start_time": "22:00", "end_time": "06:00"});
    let (early_friday, friday_night, saturday) =
        (at("2026-07-03T05:00:00Z"), at("2026-07-03T23:00:00Z"), at("2026-07-04T05:00:00Z"));
    let active = |semantics| {
        [early_friday, friday_night, saturday].map(|at| schedule(semantics, friday.clone()).is_active(at))
    };
    assert_eq!(active(Strict), [false, true, true]);
    assert_eq!(active(Compat), [true, true, false]);
}

#[test]
fn cron_takes_either_day_names_and_seven() {
    let active = |semantics, expression: &str, instant: &str| {
        schedule(semantics, json!({"recurrence_type": "cron", "cron_expression": expression}))
            .is_active(at(instant))
    };
    // A Wednesday, the first; a Sunday, the fifth.
    let (wednesday, sunday) = ("2026-07-01T12:00:00Z", "2026-07-05T12:00:00Z");
    assert!(active(Strict, "* * 1 * 0", wednesday) && active(Strict, "* * 1 * 0", sunday));
    assert!(!active(Compat, "* * 1 * 0", wednesday) && !active(Compat, "* * 1 * 0", sunday));
    assert!(active(Strict, "* * * jul SUN", sunday) && !active(Strict, "* * * jul SUN", wednesday));
    assert!(active(Strict, "* * * * 7", sunday) && !active(Compat, "* * * * 7", sunday));
}

#[test]
fn an_unknown_zone_is_never_active() {
    let members =
        json!({"recurrence_type": "cron", "cron_expression": "* * * * *", "timezone": "No/Such_Zone"});
    assert!(!schedule(Strict, members.clone()).is_active(AT));
    assert!(schedule(Compat, members).is_active(AT));
}

#[test]
fn the_next_minute_of_a_cron_schedule() {
    let members =
        json!({"recurrence_type": "cron", "cron_expression": "*/20 9 * * *", "start_time": "22:00"});
    let next = |semantics, instant| schedule(semantics, members.clone()).next_occurrence(at(instant));
    assert_eq!(next(Strict, "2026-07-01T09:20:00Z"), Some(at("2026-07-01T09:40:00Z")));
    assert_eq!(next(Strict, "2026-07-01T09:40:00Z"), Some(at("2026-07-02T09:00:00Z")));
    assert_eq!(next(Compat, "2026-07-01T09:20:00Z"), None, "the start time is 22:00");
}
