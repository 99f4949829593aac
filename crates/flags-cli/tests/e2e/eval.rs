//! Decisions, from a store and line by line.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::cli::Cli;

/// The flags of the README's first command.
fn shop() -> Cli {
    Cli::on(format!("memory:{}/../feature-flags/data/shop.json", env!("CARGO_MANIFEST_DIR")))
}

const ANN: &str = r#"{"targeting_key":"ann","attributes":{"email":"ann@shop.example"}}"#;
const BOB: &str = r#"{"targeting_key":"bob","country":"NL","app_version":"3.5.1"}"#;
const USER: &str = r#"{"targeting_key":"user-117","user_id":"user-117"}"#;
const DAN: &str = r#"{"targetingKey":"dan"}"#;

#[test]
fn a_flag_is_decided_for_each_context_with_the_reason() -> Result<()> {
    let args =
        ["eval", "new-checkout", "--context", ANN, "--context", BOB, "--context", USER, "--context", DAN];
    let ran = shop().quiet(&args, "")?;
    let readme = include_str!("../../../../README.md");
    ensure!(ran.code == Some(0) && readme.contains(&ran.stdout), "{ran:?} is not what the README shows");
    Ok(())
}

#[test]
fn programs_get_an_object_a_line() -> Result<()> {
    let ran = shop().quiet(&["--json", "eval", "new-checkout", "--context", BOB, "--context", DAN], "")?;
    let lines: Vec<Value> = ran.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let bob = json!({"value": true, "reason": "TARGETING_MATCH", "variant": "benelux", "error_code": null});
    let dan = json!({"value": false, "reason": "STATIC", "variant": null, "error_code": null});
    ensure!(lines == [bob, dan], "{lines:?}");

    let ran = shop().quiet(&["--json", "eval", "nothing", "--default", "3"], "")?;
    let nothing = json!({"value": 3, "reason": "DEFAULT", "variant": null, "error_code": "FLAG_NOT_FOUND"});
    ensure!(ran.code == Some(3) && serde_json::from_str::<Value>(&ran.stdout)? == nothing, "{ran:?}");
    Ok(())
}

#[test]
fn windows_and_the_instant_count() -> Result<()> {
    for (at, on) in [("2026-11-23T16:30:00Z", true), ("2026-11-23T12:00:00Z", false)] {
        let ran = shop().quiet(&["--json", "eval", "happy-hour", "--at", at, "--context", DAN], "")?;
        let value = serde_json::from_str::<Value>(&ran.stdout)?["value"].clone();
        ensure!(value == on, "{at}: {ran:?}");
    }
    Ok(())
}

#[test]
fn the_way_to_a_decision_is_a_tree_or_data() -> Result<()> {
    let ran = shop().quiet(&["eval", "new-checkout", "--explain", "--context", DAN], "")?;
    let condition =
        r#"    {"attribute": "country", "operator": "in", "value": ["BE", "NL", "LU"]}, actual null: no"#;
    ensure!(ran.stdout.lines().any(|line| line == condition), "{}", ran.stdout);
    ensure!(ran.stdout.contains("rollout of 25 %: bucket"), "{}", ran.stdout);
    let ran = shop().quiet(&["--json", "eval", "new-checkout", "--explain", "--context", DAN], "")?;
    let rules = serde_json::from_str::<Value>(&ran.stdout)?["rules"].clone();
    ensure!(rules.as_array().is_some_and(|rules| rules.len() == 3), "{}", ran.stdout);
    Ok(())
}

#[test]
fn line_by_line_no_store_is_needed_and_the_stream_goes_on() -> Result<()> {
    let flag = r#"{"id":"44e0d14d-66b4-4eb5-bbc6-eebac2dbba0b","key":"k","name":"k","flag_type":"boolean","status":"active","default_enabled":true}"#;
    let lines = format!(
        "{{\"flag\":{flag},\"context\":{{}}}}\nno JSON\n{{\"flag\":null,\"context\":{{}},\"default\":7}}\n"
    );
    let nowhere = Cli::on("");
    let ran = nowhere.quiet(&["eval", "--stdin"], &lines)?;
    let expected = [
        r#"{"value":true,"reason":"STATIC","variant":null,"error_code":null}"#,
        r#"{"value":null,"reason":"ERROR","variant":null,"error_code":"PARSE_ERROR"}"#,
        r#"{"value":7,"reason":"DEFAULT","variant":null,"error_code":"FLAG_NOT_FOUND"}"#,
    ];
    ensure!(ran.code == Some(1) && ran.stdout.lines().eq(expected), "{ran:?}");
    let ran = nowhere.quiet(&["eval", "--stdin"], "")?;
    ensure!(ran.code == Some(0) && ran.stdout.is_empty(), "{ran:?}");
    Ok(())
}

#[test]
fn a_line_that_does_not_end_is_answered_once_and_not_by_its_beginning() -> Result<()> {
    let request = r#"{"flag":null,"context":{},"default":7}"#;
    // It would be a request, were the rest of it not there.
    let endless = format!("{request}{}{request}\n{request}\n", " ".repeat(64 << 20));
    let ran = Cli::on("").quiet(&["eval", "--stdin"], &endless)?;
    let expected = [
        r#"{"value":null,"reason":"ERROR","variant":null,"error_code":"PARSE_ERROR"}"#,
        r#"{"value":7,"reason":"DEFAULT","variant":null,"error_code":"FLAG_NOT_FOUND"}"#,
    ];
    ensure!(ran.code == Some(1) && ran.stdout.lines().eq(expected), "{ran:?}");
    Ok(())
}
