//! Each documented deviation from the origin, by the name that its section gives.

#![allow(clippy::needless_pass_by_value, reason = "the values are literals, which read better without `&`")]

mod common;

use common::{AT, answer, at, condition_holds, flag_with, schedule};
use flags_core::{EntityId, EntityType, Override};
use flags_engine::{EvaluationContext, Reason, Ruleset, Semantics};
use serde_json::json;

const COMPAT: Semantics = Semantics::Compat;

#[test]
fn a_schedule_is_in_its_time_zone() {
    let hours = schedule(COMPAT, json!({"timezone": "America/New_York"}));
    assert!(!hours.is_active(at("2026-01-15T13:59:59Z")), "9 in the morning is 14 UTC in winter");
    assert!(hours.is_active(at("2026-01-15T14:00:00Z")));
    assert!(hours.is_active(at("2026-07-15T13:00:00Z")), "and 13 UTC in summer");
    let unknown = schedule(COMPAT, json!({"timezone": "No/Such_Zone"}));
    assert!(unknown.is_active(at("2026-01-15T09:00:00Z")));
}

#[test]
fn a_window_is_in_its_time_zone() {
    let window = |value| json!({"attribute": "x", "operator": "time_window", "value": value});
    let morning = "2026-07-15T13:30:00Z";
    let in_new_york = window(json!({"start": "09:00", "end": "10:00", "timezone": "America/New_York"}));
    assert!(condition_holds(COMPAT, in_new_york, json!(morning)));
    let in_utc = window(json!({"start": "13:00", "end": "14:00", "timezone": "UTC"}));
    assert!(
        condition_holds(COMPAT, in_utc, json!("2026-07-15T09:30:00-04:00")),
        "not the value's own wall clock"
    );
    let naive =
        json!({"start": "2026-07-15T09:00:00", "end": "2026-07-15T10:00:00", "timezone": "America/New_York"});
    assert!(condition_holds(COMPAT, window(naive), json!(morning)));
    let own = window(json!({"start": "09:00", "end": "10:00"}));
    assert!(condition_holds(COMPAT, own, json!("2026-07-15T09:30:00-04:00")), "as in the origin");
}

#[test]
fn methods_are_no_attributes() {
    let condition = json!({"attribute": "merge", "operator": "gt", "value": 1});
    assert_eq!(answer(COMPAT, condition.clone(), &EvaluationContext::default()).reason, Reason::Static);
    let context = EvaluationContext::builder().attribute("merge", 2).build();
    assert_eq!(answer(COMPAT, condition, &context).reason, Reason::TargetingMatch);
}

#[test]
fn untranslatable_patterns_never_match() {
    for pattern in
        [r"(?=a)ann", r"(a)n\1", r"a*+nn", r"(?>a)nn", r"ann$\n", r"(?ai)ann", r"(?:ann?a?){1,2000}"]
    {
        let condition = json!({"attribute": "x", "operator": "matches", "value": pattern});
        assert!(!condition_holds(COMPAT, condition.clone(), json!("anna\n")), "{pattern}");
        let ruleset = Ruleset::builder(COMPAT).flag(flag_with(condition)).build();
        let told: Vec<String> = ruleset.diagnostics().iter().map(ToString::to_string).collect();
        assert!(told.len() == 1 && told[0].contains("never matches"), "{pattern}: {told:?}");
    }
    // What is a word and a letter regardless of case, where Unicode and Python differ.
    for (pattern, text) in [(r"\b", "½"), (r"a\b", "a\u{301}"), ("(?i)i", "ı")] {
        let condition = json!({"attribute": "x", "operator": "matches", "value": pattern});
        assert!(!condition_holds(COMPAT, condition, json!(text)), "{pattern}");
    }
}

#[test]
fn an_override_is_gone_when_it_expires() {
    let flag = flag_with(json!({"attribute": "x", "operator": "eq", "value": 1}));
    let (kind, id) = (EntityType::new("user").expect("a type"), EntityId::new("u1").expect("an id"));
    let mut record = Override::new(flag.id, kind, id, true);
    record.expires_at = Some(at("2026-01-01T00:00:00Z"));
    let ruleset = Ruleset::builder(COMPAT).flag(flag).flag_override(record).build();
    let context = EvaluationContext::builder().user_id("u1").build();
    let reason = |text| ruleset.evaluator(&context, at(text)).boolean("flag", false).reason;
    assert_eq!(reason("2025-12-31T23:59:59.999999Z"), Reason::Override);
    assert_eq!(reason("2026-01-01T00:00:00Z"), Reason::Static);
}

#[test]
fn the_instant_of_evaluation_is_in_utc() {
    let window = json!({"attribute": "timestamp", "operator": "time_window", "value": {"start": "00:00", "end": "00:00"}});
    assert_eq!(AT, at("1970-01-01T02:00:00+02:00"));
    assert_eq!(answer(COMPAT, window, &EvaluationContext::default()).reason, Reason::TargetingMatch);
}

#[test]
fn digits_of_other_scripts_are_no_numbers() {
    let holds = |operator: &str, value: serde_json::Value, actual| {
        condition_holds(
            COMPAT,
            json!({"attribute": "x", "operator": operator, "value": value}),
            json!(actual),
        )
    };
    assert!(!holds("semver_eq", json!("3"), "٣"));
    assert!(!holds("date_after", json!("2020-01-01"), "٢٠٢٦-01-01"));
    assert!(!holds("time_window", json!({"start": "٠٩:00", "end": "17:00"}), "2026-01-01T12:00:00Z"));
    assert!(
        !schedule(COMPAT, json!({"recurrence_type": "cron", "cron_expression": "٠ * * * *"})).is_active(AT)
    );
    assert!(holds("matches", json!(r"\d"), "٣"));
}

#[test]
fn rare_characters_in_lists_are_shown() {
    // An unassigned character, which Python writes as '\u0378'.
    let holds = |value: &str| {
        let condition = json!({"attribute": "x", "operator": "starts_with", "value": value});
        condition_holds(COMPAT, condition, json!(["\u{378}"]))
    };
    assert!(holds("['\u{378}'"));
    assert!(!holds(r"['\u0378'"));
}
