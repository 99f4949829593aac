//! Stored text that would forge lines or command the terminal.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::cli::Cli;

/// What every name, key and message here holds.
const EVIL: &str = "a\nerror: forged\r\u{202e}\u{1b}[31m\u{85}\u{2028}z";
const ESCAPED: &str = r"a\nerror: forged\r\u{202e}\u{1b}[31m\u{85}\u{2028}z";

/// Every record with evil wherever text may be, in a document.
fn document() -> Value {
    let id = |last: u8| format!("00000000-0000-4000-8000-0000000000{last:02}");
    let condition = json!({"attribute": EVIL, "operator": "eq", "value": EVIL});
    let flag = json!({
        "id": id(1), "key": EVIL, "name": format!("{EVIL}!"), "description": EVIL, "flag_type": "string", "status": "active",
        "default_enabled": true, "default_value": EVIL, "tags": [EVIL], "metadata": {EVIL: EVIL}, EVIL: EVIL,
        "rules": [{"id": id(2), "name": EVIL, "priority": 0, "enabled": true, "serve_enabled": true, "serve_value": EVIL,
            "conditions": [condition, "\u{202e}"], "rollout_percentage": 200}],
        "variants": [{"id": id(3), "key": EVIL, "name": EVIL, "value": EVIL, "weight": 1}],
    });
    json!({
        "version": 1,
        "flags": [flag],
        "overrides": [{"id": id(4), "flag_id": id(1), "entity_type": "t\n\u{202e}", "entity_id": EVIL, "enabled": true,
            "value": EVIL, EVIL: EVIL}],
        "scheduled_changes": [{"id": id(5), "flag_id": id(1), "change_type": "update_value", "new_value": EVIL,
            "scheduled_at": "2030-01-01", "executed": false, "created_by": EVIL, "error": EVIL}],
        "time_schedules": [{"id": id(6), "flag_id": id(1), "name": EVIL, "recurrence_type": "cron", "enabled": true,
            "cron_expression": EVIL, "timezone": EVIL, "start_time": "09:00", "end_time": "10:00"}],
        "rollout_phases": [{"id": id(7), "flag_id": id(1), "phase_number": 1, "target_percentage": 200,
            "scheduled_at": "2030-01-01", "executed": false, "error": EVIL, EVIL: EVIL}],
        "segments": [{"id": id(8), "name": EVIL, "description": EVIL, "conditions": [condition],
            "parent_segment_id": id(9), "enabled": true}],
    })
}

#[test]
fn no_stored_text_forges_a_line_or_commands_the_terminal() -> Result<()> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(document().to_string().as_bytes())?;
    let path = file.path().to_str().context("a path in UTF-8")?;
    let cli = Cli::on(format!("memory:{path}"));
    let part = json!({"key": EVIL, "tags": [format!("{EVIL}2")]}).to_string();
    let emptied = r#"{"version": 1}"#;
    let whom = json!({"targeting_key": EVIL, "user_id": EVIL, "attributes": {EVIL: EVIL}}).to_string();
    for (words, input) in [
        (&["flag", "list"][..], ""),
        (&["flag", "get", EVIL], ""),
        (&["flag", "get", "\u{202e}\nfoe"], ""),
        (&["flag", "enable", EVIL], ""),
        (&["flag", "update", "-f", "-"], &part),
        (&["flag", "delete", EVIL], ""),
        (&["flag", "create", EVIL], ""),
        (&["flag", "list", EVIL], ""),
        (&["flag", "list", "--status", EVIL], ""),
        (&["override", "list", EVIL], ""),
        (&["override", "get", EVIL, "t\n\u{202e}", EVIL], ""),
        (&["override", "get", EVIL, "t\n:", EVIL], ""),
        (&["override", "set", EVIL, "t\n\u{202e}", EVIL, "--value", "1"], ""),
        (&["override", "delete", EVIL, "t\n\u{202e}", EVIL], ""),
        (&["schedule", "list"], ""),
        (&["schedule", "get", "00000000-0000-4000-8000-000000000005"], ""),
        (&["schedule", "get", EVIL], ""),
        (&["window", "list"], ""),
        (&["window", "get", "00000000-0000-4000-8000-000000000006"], ""),
        (&["phase", "list"], ""),
        (&["phase", "get", "00000000-0000-4000-8000-000000000007"], ""),
        (&["segment", "list"], ""),
        (&["segment", "get", EVIL], ""),
        (&["segment", "delete", EVIL], ""),
        (&["segment", "get", "\u{202e}\nfoe"], ""),
        (&["doctor"], ""),
        (&["eval", EVIL, "--context", &whom], ""),
        (&["eval", EVIL, "--explain", "--context", &whom], ""),
        (&["eval", "\u{202e}\nfoe", "--explain"], ""),
        (&["eval", "\u{202e}\nfoe", "--default", "[1,\n2]"], ""),
        (&["import", "-", "--replace", "--dry-run"], emptied),
        (&["import", "-", "--replace", "--yes"], emptied),
        (&["health", EVIL], ""),
    ] {
        let ran = cli.quiet(words, input)?;
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let strange = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{2028}'..='\u{202e}');
        ensure!(!said.is_empty(), "{words:?} says something");
        ensure!(!said.chars().any(|c| strange(&c)), "{words:?}: {said:?}");
        let forged = |line: &str| line.starts_with("error: forged") || line.starts_with("foe");
        ensure!(!said.lines().any(forged), "{words:?}: {said}");
    }
    let shown = cli.quiet(&["flag", "get", EVIL], "")?.stdout;
    ensure!(shown.starts_with(&format!("{ESCAPED}\n")), "{shown}");
    Ok(())
}

#[test]
fn json_is_exact() -> Result<()> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(document().to_string().as_bytes())?;
    let cli = Cli::on(format!("memory:{}", file.path().to_str().context("a path in UTF-8")?));
    let flag: Value = serde_json::from_str(&cli.quiet(&["flag", "get", EVIL, "--json"], "")?.stdout)?;
    ensure!(flag["key"] == EVIL && flag["tags"] == json!([EVIL]) && flag[EVIL] == EVIL, "{flag}");
    let missing = cli.quiet(&["flag", "get", "\u{202e}\nfoe", "--json"], "")?.stderr;
    ensure!(serde_json::from_str::<Value>(&missing)?["key"] == "flag:\u{202e}\nfoe", "{missing}");
    ensure!(missing.lines().count() == 1, "{missing}");
    Ok(())
}
