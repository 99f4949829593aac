//! Whatever the input, a decision ends, soon, and without a panic.

use std::time::{Duration, Instant};

use flags_core::{Condition, Flag, FlagKey, Json, Rule, Segment, SegmentName, Timestamp};
use flags_engine::request::decide_line;
use flags_engine::{EvaluationContext, Ruleset, Semantics, Value};
use proptest::prelude::*;
use serde_json::json;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

/// JSON of any shape, with the texts that mean something here among it.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
        "[0-9:.TZ+ W-]{0,24}".prop_map(Into::into),
        "[\\[\\](){}|*+?.^$\\\\a-c0-9,:<=!P-]{0,16}".prop_map(Into::into),
        prop::sample::select(vec![
            "09:00",
            "UTC",
            "Europe/Amsterdam",
            "eq",
            "seg",
            "boolean",
            "cron",
            "*/0 * * * *"
        ])
        .prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(
                prop_oneof![
                    "start",
                    "end",
                    "timezone",
                    "attribute",
                    "operator",
                    "value",
                    "negate",
                    "\\PC{0,6}"
                ],
                inner,
                0..6
            )
            .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn operator() -> impl Strategy<Value = String> {
    let known =
        [flags_core::validate::OPERATORS.as_slice(), &flags_core::validate::SEGMENT_OPERATORS].concat();
    prop::sample::select(known).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = serde_json::Value> {
    let usual = (operator(), any_json(), any_json()).prop_map(|(operator, value, negate)| {
        json!({"attribute": "x", "operator": operator, "value": value, "negate": negate})
    });
    prop_oneof![4 => usual, 1 => any_json()]
}

fn rule(conditions: Vec<serde_json::Value>) -> Rule {
    let mut rule = Rule::new("rule");
    rule.conditions = conditions.into_iter().map(|each| Condition::from_json(each.into())).collect();
    rule
}

fn flag(rule: Rule) -> Flag {
    let mut flag = Flag::new(FlagKey::new("flag").expect("a flag key"));
    flag.rules.push(rule);
    flag
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_condition_and_attribute(
        conditions in prop::collection::vec(condition(), 0..4),
        in_segment in prop::collection::vec(condition(), 0..4),
        actual in any_json(),
        cron in "[0-9*/,a-z -]{0,20}",
    ) {
        let mut segment = Segment::new(SegmentName::new("seg").expect("a name"));
        segment.conditions = in_segment.into_iter().map(|each| Condition::from_json(each.into())).collect();
        let actual = Value::try_from(&Json::from(actual)).expect("shallow JSON");
        let context = EvaluationContext::builder().attribute("x", actual).build();
        for semantics in [Semantics::Compat, Semantics::Strict] {
            let flag = flag(rule(conditions.clone()));
            let mut schedule = flags_core::TimeSchedule::new(flag.id, "s", flags_core::TimeOfDay::MIDNIGHT, flags_core::TimeOfDay::MIDNIGHT);
            schedule.recurrence_type = flags_core::RecurrenceType::Cron;
            schedule.cron_expression = Some(cron.clone());
            let ruleset = Ruleset::builder(semantics).flag(flag.clone()).segment(segment.clone()).build();
            let details = ruleset.evaluator(&context, AT).boolean("flag", false);
            prop_assert_eq!(details.error.is_some(), details.reason == flags_engine::Reason::Error);
            // An explanation says what the decision is.
            let explained = ruleset.evaluator(&context, AT).explain("flag");
            prop_assert_eq!(explained.decision.reason, details.reason);
            let _ = (explained.to_string(), serde_json::to_string(&explained).expect("data"));
            let _ = (ruleset.diagnostics(), ruleset.edit().time_schedule(schedule.clone()).build().evaluator(&context, AT).decide("flag"));
            let compiled = flags_engine::CompiledSchedule::new(schedule.into(), semantics);
            prop_assert!(compiled.next_occurrence(AT).is_none_or(|next| next > AT));
        }
    }

    #[test]
    fn any_line(flag in any_json(), context in any_json(), rest in any_json(), raw in "\\PC{0,40}") {
        for line in [json!({"flag": flag, "context": context, "segments": rest}).to_string(), rest.to_string(), raw] {
            let answer = serde_json::to_value(decide_line(&line, AT)).expect("an answer is JSON");
            prop_assert_eq!(answer.as_object().map(serde_json::Map::len), Some(4));
        }
    }
}

/// Far more than a linear walk takes on a slow machine, and far less than a quadratic one.
const SOON: Duration = Duration::from_secs(10);

fn timed(what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    assert!(start.elapsed() < SOON, "{what} took {:?}", start.elapsed());
}

#[test]
fn a_megabyte_against_patterns() {
    let text = "a".repeat(1 << 20) + "!";
    let context = EvaluationContext::builder().attribute("x", text).build();
    for pattern in [r"(a+)+$", r"(a|a)*b", r"(.*)(.*)(.*)x", r"\w+\s*$"] {
        let condition = json!({"attribute": "x", "operator": "matches", "value": pattern});
        let ruleset = Ruleset::builder(Semantics::Compat).flag(flag(rule(vec![condition]))).build();
        timed(pattern, || assert!(!ruleset.evaluator(&context, AT).boolean("flag", false).value));
    }
}

#[test]
fn patterns_that_count_a_lot() {
    let text = "ab".repeat(500);
    let context = EvaluationContext::builder().attribute("x", text).build();
    for pattern in ["(?:[ab]{1,1000}){1,200}x$", "(?:(?:[ab]{1,99}){1,99}){1,99}x$", "(?:[ab]{1,50}){1,98}x$"]
    {
        let condition = json!({"attribute": "x", "operator": "matches", "value": pattern});
        let ruleset = Ruleset::builder(Semantics::Compat).flag(flag(rule(vec![condition]))).build();
        timed(pattern, || assert!(!ruleset.evaluator(&context, AT).boolean("flag", false).value));
    }
}

#[test]
fn ten_thousand_conditions_and_values() {
    let words: Vec<String> = (0..10_000).map(|number| format!("word {number}")).collect();
    let many = words.iter().map(|word| json!({"attribute": "x", "operator": "ne", "value": word})).collect();
    let values = json!({"attribute": "x", "operator": "in", "value": words});
    let context = EvaluationContext::builder().attribute("x", "word 9999x").build();
    timed("10,000 conditions", || {
        let ruleset = Ruleset::builder(Semantics::Compat).flag(flag(rule(many))).build();
        assert!(ruleset.evaluator(&context, AT).boolean("flag", false).value);
    });
    timed("10,000 values", || {
        let ruleset = Ruleset::builder(Semantics::Compat).flag(flag(rule(vec![values]))).build();
        assert!((0..1_000).all(|_| !ruleset.evaluator(&context, AT).boolean("flag", false).value));
    });
}

/// A chain of segments, each the parent of the next; the first one's parent is the last if it is a circle.
fn chain(length: usize, circle: bool) -> Vec<Segment> {
    let mut segments: Vec<Segment> = (0..length)
        .map(|number| Segment::new(SegmentName::new(format!("segment {number}")).expect("a name")))
        .collect();
    for number in 1..length {
        segments[number].parent_segment_id = Some(segments[number - 1].id);
    }
    if circle {
        segments[0].parent_segment_id = segments.last().map(|last| last.id);
    }
    segments
}

#[test]
fn deep_chains_of_segments_and_circles() {
    for (length, circle, want) in
        [(1_000, false, true), (1_000, true, false), (50_000, false, true), (50_000, true, false)]
    {
        let last = format!("segment {}", length - 1);
        let condition = json!({"attribute": "x", "operator": "in_segment", "value": last});
        let segments = chain(length, circle);
        timed("a chain of segments", || {
            let builder = Ruleset::builder(Semantics::Compat).flag(flag(rule(vec![condition])));
            let ruleset = segments.into_iter().fold(builder, flags_engine::RulesetBuilder::segment).build();
            let context = EvaluationContext::default();
            assert_eq!(ruleset.evaluator(&context, AT).boolean("flag", false).value, want);
            assert_eq!(ruleset.diagnostics().is_empty(), !circle);
        });
    }
}

#[test]
fn json_nested_too_deep_is_refused() {
    for depth in [127, 1_000, 100_000] {
        let nested = "[".repeat(depth) + &"]".repeat(depth);
        let json: Json = nested.parse().expect("JSON of any depth is kept");
        assert_eq!(Value::try_from(&json).is_ok(), depth < 128);
        let condition: Json =
            format!(r#"{{"attribute": "x", "operator": "ne", "value": {nested}}}"#).parse().expect("JSON");
        let mut deep = Rule::new("deep");
        deep.conditions.push(Condition::from_json(condition));
        let ruleset = Ruleset::builder(Semantics::Compat).flag(flag(deep)).build();
        assert_eq!(ruleset.diagnostics().is_empty(), depth < 128, "{depth}");
        let _ = ruleset.evaluator(&EvaluationContext::default(), AT).boolean("flag", false);
        let _ = decide_line(format!(r#"{{"flag": {nested}, "context": {{}}}}"#), AT);
    }
}
