//! What a user of the crate relies on: typed answers, editing, explanations, requests.

mod common;

use std::io::Write as _;
use std::process::{Command, Stdio};

use common::{AT, flag_with};
use flags_core::{Flag, FlagKey, FlagType, Json, Rule, Timestamp};
use flags_engine::request::decide_line;
use flags_engine::{ErrorCode, EvaluationContext, Reason, Ruleset, Semantics};
use serde_json::{Value, json};

fn valued(key: &str, flag_type: FlagType, default: &str) -> Flag {
    let mut flag = Flag::new(FlagKey::new(key).expect("a flag key"));
    flag.flag_type = flag_type;
    flag.default_value = Some(default.parse().expect("JSON"));
    flag
}

#[test]
fn each_type_and_its_errors() {
    let ruleset = Ruleset::builder(Semantics::Compat)
        .flag(valued("text", FlagType::String, r#""bl\u00fce""#))
        .flag(valued("odd", FlagType::String, "5"))
        .flag(valued("null", FlagType::String, "null"))
        .flag(valued("whole", FlagType::Number, "3.0"))
        .flag(valued("part", FlagType::Number, "2.5"))
        .flag(valued("huge", FlagType::Number, "1180591620717411303424"))
        .flag(valued("json", FlagType::Json, r#"{"b": 1, "a": [1.0, -0.0]}"#))
        .build();
    let context = EvaluationContext::default();
    let evaluator = ruleset.evaluator(&context, AT);
    assert_eq!(evaluator.string("text", "red").value, "blüe");
    assert_eq!(evaluator.integer("whole", 0).value, 3);
    assert_eq!(evaluator.float("part", 0.0).value.to_bits(), 2.5_f64.to_bits());
    assert_eq!(evaluator.json("json", Json::null()).value.text(), r#"{"b": 1, "a": [1.0, -0.0]}"#);
    assert_eq!(evaluator.decide("huge").value.expect("a value").to_json().text(), "1180591620717411303424");
    let null = evaluator.string("null", "red");
    assert_eq!((null.value, null.reason, null.error), ("red", Reason::Static, None));
    for code in [
        evaluator.string("odd", "").error_code(),
        evaluator.integer("part", 0).error_code(),
        evaluator.integer("huge", 0).error_code(),
        evaluator.string("whole", "").error_code(),
        evaluator.boolean("text", false).error_code(),
    ] {
        assert_eq!(code, Some(ErrorCode::TypeMismatch));
    }
    let absent = evaluator.boolean("absent", true);
    assert_eq!((absent.value, absent.reason), (true, Reason::Default));
    assert_eq!(absent.error_code(), Some(ErrorCode::FlagNotFound));
    assert_eq!(evaluator.all().count(), ruleset.len());
    assert_eq!(
        evaluator.many(["text", "absent"]).filter(|(_, decision)| decision.error.is_none()).count(),
        1
    );
    assert_eq!(Reason::Override.openfeature(), "TARGETING_MATCH");
}

#[test]
fn an_edit_leaves_the_rest_as_it_was() {
    let kept = std::sync::Arc::new(Flag::new(FlagKey::new("kept").expect("a flag key")));
    let bad = flag_with(json!({"attribute": "x", "operator": "matches", "value": "("}));
    let before = Ruleset::builder(Semantics::Compat).flag(kept.clone()).flag(bad.clone()).build();
    assert_eq!(before.diagnostics().len(), 1);
    let after =
        before.edit().flag(flag_with(json!({"attribute": "x", "operator": "eq", "value": 1}))).build();
    assert!(after.diagnostics().is_empty());
    let same = |ruleset: &Ruleset| ruleset.flags().any(|flag| std::sync::Arc::ptr_eq(flag, &kept));
    assert!(same(&before) && same(&after));
    assert_eq!(after.edit().remove_flag(&bad.key).build().len(), 1);
}

#[test]
fn an_explanation_tells_every_step() {
    let mut flag = flag_with(json!({"attribute": "country", "operator": "in", "value": ["BE"]}));
    let mut half = Rule::new("half").when(flags_core::Condition::new("plan", "eq", "pro"));
    half.rollout_percentage = Some(60);
    half.priority = 1;
    flag.rules.push(half);
    let ruleset = Ruleset::builder(Semantics::Compat).flag(flag).build();
    let context =
        EvaluationContext::builder().targeting_key("ann").country("NL").attribute("plan", "pro").build();
    let explanation = ruleset.evaluator(&context, AT).explain("flag");
    let tree = "\
flag: true (TARGETING_MATCH, variant \"half\")
  status: active
  override of targeting_key \"ann\": none
  rule \"rule\" (priority 0): no match
    {\"attribute\":\"country\",\"operator\":\"in\",\"value\":[\"BE\"]}, actual \"NL\": no
  rule \"half\" (priority 1): matched
    {\"attribute\":\"plan\",\"operator\":\"eq\",\"value\":\"pro\"}, actual \"pro\": yes
    rollout of 60 %: bucket 58, so yes
";
    assert_eq!(explanation.to_string(), tree);
    let data = serde_json::to_value(&explanation).expect("data");
    assert_eq!(data["rules"][1]["rollout"], json!({"bucket": 58, "percentage": 60, "within": true}));
    assert_eq!(data["rules"][0]["conditions"][0]["verdict"], "no");
}

#[test]
fn both_spellings_and_a_merge() {
    let read = |text: &str| serde_json::from_str::<EvaluationContext>(text).expect("a context");
    let camel =
        read(r#"{"targetingKey": "a", "country": null, "attributes": {"n": 1180591620717411303424}}"#);
    assert_eq!(camel, read(r#"{"targeting_key": "a", "attributes": {"n": 1180591620717411303424}}"#));
    let written = serde_json::to_string(&camel).expect("JSON");
    assert_eq!(written, r#"{"targeting_key":"a","attributes":{"n":1180591620717411303424}}"#);
    let merged =
        camel.merge(&read(r#"{"targeting_key": "", "user_id": "u", "attributes": {"n": 1, "m": 2}}"#));
    assert_eq!((merged.targeting_key(), merged.user_id()), (Some("a"), Some("u")));
    assert_eq!((merged.attribute("n"), merged.attribute("m")), (Some(&1.into()), Some(&2.into())));
}

#[test]
fn lines_that_are_no_request() {
    let flag = serde_json::to_value(flag_with(json!({}))).expect("JSON");
    let told = |line: &str| {
        let answer = serde_json::to_value(decide_line(line, AT)).expect("JSON");
        (answer["reason"].clone(), answer["error_code"].clone(), answer["value"].clone())
    };
    for (line, value) in [
        ("", Value::Null),
        ("{", Value::Null),
        ("[]", Value::Null),
        (r#"{"context": {}, "default": 7}"#, json!(7)),
        (r#"{"flag": {}, "context": {}, "default": 7}"#, json!(7)),
        (&json!({"flag": flag, "default": 7}).to_string(), json!(7)),
        (&json!({"flag": flag, "context": {"user_id": 5}}).to_string(), Value::Null),
        (&json!({"flag": flag, "context": {}, "semantics": "loose"}).to_string(), Value::Null),
        (&json!({"flag": flag, "context": {}, "at": "soon"}).to_string(), Value::Null),
    ] {
        assert_eq!(told(line), (json!("ERROR"), json!("PARSE_ERROR"), value), "{line}");
    }
    let nothing = json!({"flag": null, "context": {}, "default": [1], "overrides": null}).to_string();
    assert_eq!(told(&nothing), (json!("DEFAULT"), json!("FLAG_NOT_FOUND"), json!([1])));
}

#[test]
fn the_example_answers_line_by_line() {
    let flag = serde_json::to_value(flag_with(json!({"attribute": "x", "value": 1}))).expect("JSON");
    let good = json!({"flag": flag, "context": {"attributes": {"x": 1.0}}}).to_string();
    // Cargo builds examples beside the tests.
    let tests = std::env::current_exe().expect("this test has a path");
    let example = tests.ancestors().nth(2).expect("a target folder").join("examples/eval_stdin");
    let run = |input: &[u8]| {
        let mut child = Command::new(&example)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example is built with the tests: `cargo test -p flags-engine`");
        child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        (String::from_utf8(output.stdout).expect("UTF-8"), output.status.code())
    };
    let on = "{\"value\":true,\"reason\":\"TARGETING_MATCH\",\"variant\":\"rule\",\"error_code\":null}\n";
    let unreadable =
        "{\"value\":null,\"reason\":\"ERROR\",\"variant\":null,\"error_code\":\"PARSE_ERROR\"}\n";
    assert_eq!(run(format!("{good}\n{good}").as_bytes()), (on.repeat(2), Some(0)));
    let mixed = [good.as_bytes(), b"\n\xff\n\n", good.as_bytes(), b"\n"].concat();
    assert_eq!(run(&mixed), (format!("{on}{unreadable}{unreadable}{on}"), Some(1)));
}

#[test]
fn a_list_is_neither_a_context_nor_a_request() {
    assert!(serde_json::from_str::<EvaluationContext>("[]").is_err());
    assert!(serde_json::from_str::<EvaluationContext>(r#"["u1", null]"#).is_err());
    for line in ["[null, {}]", "[null, [], [], [], [], null, 1]", "[3]"] {
        let answer = decide_line(line, Timestamp::UNIX_EPOCH);
        assert!(answer.is_parse_error() && answer.value.is_null(), "{line}: {answer:?}");
    }
}
