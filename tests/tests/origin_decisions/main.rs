//! The origin's engine and ours, side by side on random requests: every difference is a documented deviation.
//!
//! `FLAGS_TEST_SEED` names another seed and `FLAGS_TEST_CASES` another number of cases.

mod deviations;

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;

use flags_core::{Json, TimeSchedule, Timestamp};
use flags_engine::request::{Request, decide_line};
use flags_engine::{CompiledSchedule, ErrorCode, Ruleset, RulesetBuilder, Semantics, Value};
use serde::Deserialize;

/// One line of the generator.
#[derive(Deserialize)]
struct Case {
    request: Json,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    value: Value,
    reason: String,
    variant: Option<String>,
    error_code: Option<String>,
    /// What the origin raised, if it did.
    exception: Option<String>,
    /// When each of the schedules opens next.
    openings: Vec<Option<Timestamp>>,
}

/// What a request says of schedules.
#[derive(Deserialize)]
struct Schedules {
    at: Timestamp,
    #[serde(default)]
    time_schedules: Vec<TimeSchedule>,
}

/// When each schedule of a request opens next, but for those in another time zone than UTC: a documented
/// deviation.
fn openings(request: &Json) -> Vec<Option<Option<Timestamp>>> {
    let Schedules { at, time_schedules } = request.to().expect("a request has an instant");
    let next = |schedule: TimeSchedule| {
        let in_utc = schedule.timezone == "UTC";
        in_utc.then(|| CompiledSchedule::new(schedule.into(), Semantics::Compat).next_occurrence(at))
    };
    time_schedules.into_iter().map(next).collect()
}

/// An explanation ends in the decision, in either semantics.
fn assert_explained(request: &Json) {
    let request: Request = request.to().expect("a request");
    let (Some(flag), Some(at)) = (request.flag, request.at) else {
        panic!("a request has a flag and an instant")
    };
    let key = flag.key.clone();
    for semantics in [Semantics::Compat, Semantics::Strict] {
        let builder = Ruleset::builder(semantics).flag(flag.clone());
        let segments = request.segments.iter().flatten().cloned();
        let overrides = request.overrides.iter().flatten().cloned();
        let schedules = request.time_schedules.iter().flatten().cloned();
        let builder = segments.fold(builder, RulesetBuilder::segment);
        let builder = overrides.fold(builder, RulesetBuilder::flag_override);
        let ruleset = schedules.fold(builder, RulesetBuilder::time_schedule).build();
        let evaluator = ruleset.evaluator(&request.context, at);
        let (decided, explained) = (evaluator.decide(key.as_str()), evaluator.explain(key.as_str()));
        let outcome = &explained.decision;
        let value = decided.value.map(|answer| answer.to_json().text().to_owned());
        assert_eq!(outcome.value.as_ref().map(|json| json.text().to_owned()), value, "{flag:?}");
        assert_eq!(
            (outcome.reason, outcome.variant.as_deref()),
            (decided.reason, decided.variant),
            "{flag:?}"
        );
        assert_eq!(outcome.error_code, decided.error_code(), "{flag:?}");
        // A rule that matched with a value that does not fit decides nothing in the end.
        if decided.error.is_some() {
            continue;
        }
        let matched = explained.rules.iter().find(|rule| rule.matched).map(|rule| rule.id);
        assert_eq!(matched, decided.rule.map(|rule| rule.id), "{flag:?}");
        assert!(explained.rules.iter().rev().skip(1).all(|rule| !rule.matched), "{flag:?}");
    }
}

/// What the origin answers for a number of random requests.
fn cases(seed: u64, count: usize) -> Vec<Case> {
    let python = env::var_os("FLAGS_TEST_ORIGIN_PYTHON").expect(
        "FLAGS_TEST_ORIGIN_PYTHON names no Python with the origin; run this test with `cargo xtask test`, which builds one",
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/origin_decisions/generate.py");
    let output = Command::new(python)
        .args(["-W", "ignore"])
        .arg(script)
        .args([seed.to_string(), count.to_string()])
        .output()
        .expect("the interpreter in FLAGS_TEST_ORIGIN_PYTHON starts");
    assert!(output.status.success(), "the generator failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("the generator writes UTF-8");
    lines.lines().map(|line| serde_json::from_str(line).expect("the generator writes cases")).collect()
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn every_difference_is_a_documented_deviation() {
    let seed = number("FLAGS_TEST_SEED", 20_260_301);
    let count = usize::try_from(number("FLAGS_TEST_CASES", 24_000)).expect("a number of cases");
    let (mut reasons, mut exceptions, mut excused) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut unexplained = Vec::new();
    let mut opened = 0;
    for (place, case) in cases(seed, count).into_iter().enumerate() {
        let expected = &case.expected;
        *reasons.entry(expected.reason.clone()).or_insert(0) += 1;
        *exceptions.entry(expected.exception.clone()).or_insert(0) += 1;
        for (ours, theirs) in openings(&case.request).into_iter().zip(&expected.openings) {
            assert!(
                ours.is_none_or(|ours| ours == *theirs),
                "{}\nours {ours:?}, theirs {theirs:?}",
                case.request
            );
            opened += usize::from(ours.flatten().is_some());
        }
        // It compiles the request twice more, which takes most of the time.
        if place % 4 == 0 {
            assert_explained(&case.request);
        }
        let answer = decide_line(case.request.text(), Timestamp::UNIX_EPOCH);
        let value = Value::try_from(&answer.value).expect("an answer is JSON of a bounded depth");
        // As text, since to Python `true` equals `1`, but that is not what was asked.
        let same = value.to_string() == expected.value.to_string()
            && answer.reason.as_str() == expected.reason
            && answer.variant == expected.variant
            && answer.error_code.map(ErrorCode::as_str) == expected.error_code.as_deref();
        if same {
            continue;
        }
        match deviations::of(&case.request) {
            Some(name) => *excused.entry(name).or_insert(0) += 1,
            None => unexplained.push(format!("{}\n  ours: {answer:?}", case.request)),
        }
    }
    println!(
        "seed {seed}, {count} cases\nreasons {reasons:?}\nexceptions {exceptions:?}\ndeviations {excused:?}"
    );
    assert!(
        unexplained.is_empty(),
        "{} of {count} cases of seed {seed} differ from the origin, the first:\n{}",
        unexplained.len(),
        unexplained[0]
    );
    // A generator of easy inputs would prove nothing.
    assert!(opened > 0, "no schedule opens");
    for name in deviations::SHOWN {
        assert!(count < 24_000 || excused.contains_key(name), "no case shows the deviation {name:?}");
    }
    for reason in ["STATIC", "DISABLED", "TARGETING_MATCH", "SPLIT", "ERROR", "OVERRIDE"] {
        assert!(reasons.contains_key(reason), "no case ended in {reason}");
    }
    for exception in ["TypeError", "AttributeError", "ZeroDivisionError", "OverflowError"] {
        assert!(exceptions.contains_key(&Some(exception.to_owned())), "no case raised {exception}");
    }
}
