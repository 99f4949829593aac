//! The origin's engine and ours, side by side on random requests: every difference is a documented deviation.
//!
//! `FLAGS_TEST_SEED` names another seed and `FLAGS_TEST_CASES` another number of cases.

mod deviations;

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::Command;

use flags_core::{Json, TimeSchedule, Timestamp};
use flags_engine::request::decide_line;
use flags_engine::{CompiledSchedule, ErrorCode, Semantics, Value};
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

/// When each schedule of a request opens next, but for those in another time zone than UTC: a documented deviation.
fn openings(request: &Json) -> Vec<Option<Option<Timestamp>>> {
    let Schedules { at, time_schedules } = request.to().expect("a request has an instant");
    let next = |schedule: TimeSchedule| {
        let in_utc = schedule.timezone == "UTC";
        in_utc.then(|| CompiledSchedule::new(schedule.into(), Semantics::Compat).next_occurrence(at))
    };
    time_schedules.into_iter().map(next).collect()
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
    for case in cases(seed, count) {
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
