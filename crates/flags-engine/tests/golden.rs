//! The origin's own answers, from three seeds of its generator: all equal under [`Semantics::Compat`].

use flags_core::{TimeSchedule, Timestamp};
use flags_engine::request::decide_line;
use flags_engine::{CompiledSchedule, Semantics, rollout_bucket, variant_bucket};
use serde_json::{Value, json};

macro_rules! sets {
    ($name:literal) => {
        [
            include_str!(concat!("data/", $name, "-1.json")),
            include_str!(concat!("data/", $name, "-2.json")),
            include_str!(concat!("data/", $name, "-3.json")),
        ]
        .map(|set| serde_json::from_str::<Value>(set).expect("the reference data is JSON"))
    };
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().expect("a list of rows")
}

fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row[member].as_str().expect("a text")
}

#[test]
fn buckets() {
    for set in sets!("bucket") {
        for row in rows(&set) {
            let (flag, key) = (text(row, "flag_key"), text(row, "targeting_key"));
            assert_eq!(row["rollout_bucket_1_to_100"], rollout_bucket(flag, key), "{row}");
            assert_eq!(row["variant_bucket_0_to_99"], variant_bucket(flag, key), "{row}");
        }
    }
}

/// A second opinion, from an engine of another project whose rollouts hash the same way: on keys of every
/// script.
#[test]
fn rollout_buckets_are_those_of_yggdrasil() {
    let set: Value = serde_json::from_str(include_str!("data/yggdrasil.json")).expect("JSON");
    assert!(rows(&set["rows"]).len() > 500);
    for row in rows(&set["rows"]) {
        let (flag, key) = (text(row, "flag_key"), text(row, "targeting_key"));
        assert_eq!(row["rollout_bucket_1_to_100"], rollout_bucket(flag, key), "{row}");
    }
}

#[test]
fn decisions() {
    let at: Timestamp = "2026-03-01T00:00:00+00:00".parse().expect("an instant");
    let mut cases = 0;
    for set in sets!("eval") {
        for case in rows(&set["cases"]) {
            let answer = serde_json::to_value(decide_line(case.to_string(), at)).expect("an answer is JSON");
            let expected = &case["expected"];
            let wanted = match expected.get("error") {
                None => {
                    let [value, reason, variant] = ["value", "reason", "variant"].map(|name| &expected[name]);
                    json!({"value": value, "reason": reason, "variant": variant, "error_code": null})
                }
                Some(_) => {
                    json!({"value": null, "reason": "ERROR", "variant": null, "error_code": "GENERAL_ERROR"})
                }
            };
            assert_eq!(answer, wanted, "{case}");
            cases += 1;
        }
    }
    assert!(cases >= 1_900, "only {cases} cases");
}

#[test]
fn schedules() {
    for set in sets!("schedule") {
        for row in rows(&set) {
            let schedule: TimeSchedule =
                serde_json::from_value(row["schedule"].clone()).expect("a schedule of the origin reads");
            let compiled = CompiledSchedule::new(schedule.into(), Semantics::Compat);
            let at: Timestamp = text(row, "at").parse().expect("an instant");
            assert_eq!(row["active"], compiled.is_active(at), "{row}");
        }
    }
}
