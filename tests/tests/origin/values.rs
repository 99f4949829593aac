//! Values go both ways without losing a digit.

use anyhow::{Context as _, Result};
use flags_core::{ChangeType, ErrorKind, Flag, FlagType, Json, Override, Rule, ScheduledChange, Variant};
use serde_json::json;

use crate::common::{Pair, change, flag, flag_key, user};

const VALUES: [&str; 22] = [
    "null",
    "true",
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "0.1",
    "1e16",
    "1E-7",
    "5e-324",
    "1.7976931348623157e308",
    "3.141592653589793",
    "9007199254740993",
    "-9223372036854775809",
    "1180591620717411303424",
    r#""""#,
    r#""é ☃ 𝄞 \u0000 \ud834\udd1e \"\\/\b\f\n\r\t""#,
    "[]",
    "{}",
    r#"[1, [2, [3, [4.50, {"five": [null, false]}]]]]"#,
    r#"{"b": 1, "a": {"ü": 1180591620717411303424, "": [0.1, -0.0]}, "n": null}"#,
];

/// A flag, an override and a scheduled change with the value wherever a value can be.
fn carriers(key: &str, value: &Json) -> (Flag, Override, ScheduledChange) {
    let mut flag = flag(key);
    flag.flag_type = FlagType::Json;
    flag.default_value = Some(value.clone());
    flag.metadata = value.clone();
    let mut rule = Rule::new("rule");
    rule.serve_value = Some(value.clone());
    flag.rules.push(rule);
    flag.variants.push(Variant::new("a", value.clone(), 1));
    let mut over = user(flag.id, "x");
    over.value = Some(value.clone());
    let mut change = change(flag.id);
    (change.change_type, change.new_value) = (ChangeType::UpdateValue, Some(value.clone()));
    (flag, over, change)
}

/// Every value that they hold. JSON's null is no value, which is the same to both.
fn carried(flag: &Flag, over: &Override, change: &ScheduledChange) -> Vec<Json> {
    let or_null = |value: &Option<Json>| value.clone().unwrap_or_default();
    vec![
        or_null(&flag.default_value),
        flag.metadata.clone(),
        or_null(&flag.rules[0].serve_value),
        flag.variants[0].value.clone(),
        or_null(&over.value),
        or_null(&change.new_value),
    ]
}

#[tokio::test]
async fn ours_are_theirs_and_theirs_are_ours() -> Result<()> {
    let mut p = Pair::new().await?;
    for (n, text) in VALUES.into_iter().enumerate() {
        let value: Json = text.parse()?;
        let python = p.theirs.repr(text)?;

        // Ours: kept as written, read by them as Python reads the text itself, and once more after they
        // rewrote it.
        let (flag, over, change) = carriers(&format!("ours-{n}"), &value);
        let flag = p.ours.create_flag(flag).await?.into_value();
        let over = p.ours.create_override(over).await?.into_value();
        let change = p.ours.create_scheduled_change(change).await?.into_value();
        let stored = p.ours.get_flag(&flag.key).await?.context("stored")?;
        assert_eq!(stored.default_value.clone().unwrap_or_default(), value);
        assert_eq!(stored.metadata, value);
        let seen = (
            p.theirs.one::<Flag>("get_flag", &[json!(flag.key)])?.context("a flag")?,
            p.theirs
                .one::<Override>("get_override", &[json!(flag.id), json!("user"), json!("x")])?
                .context("an override")?,
            p.theirs
                .all::<ScheduledChange>("get_scheduled_changes", &[json!(flag.id), json!(true)])?
                .pop()
                .context("a change")?,
        );
        for value in carried(&seen.0, &seen.1, &seen.2) {
            assert_eq!(p.theirs.repr(value.text())?, python, "they read {text}");
        }
        p.theirs.write("update_flag", &flag)?;
        p.theirs.write("create_override", &over)?;
        p.theirs.write("update_scheduled_change", &change)?;
        let back = (
            p.ours.get_flag(&flag.key).await?.context("a flag")?,
            p.ours.get_override(flag.id, &over.entity_type, &over.entity_id).await?.context("an override")?,
            p.ours.get_scheduled_change(change.id).await?.context("a change")?,
        );
        let (flag, over, change) = (back.0.into_value(), back.1.into_value(), back.2.into_value());
        let theirs = carried(&flag, &over, &change);
        for value in &theirs {
            assert_eq!(p.theirs.repr(value.text())?, python, "they rewrote {text}");
        }

        // Theirs: our rewrite keeps their text.
        let flag = p.ours.modify_flag(&flag.key, |flag| {
            flag.description = Some("edited".to_owned());
            Ok(())
        });
        let flag = flag.await?.into_value();
        p.ours.create_override(over.clone()).await?;
        p.ours.update_scheduled_change(change.clone(), None).await?;
        assert_eq!(carried(&flag, &over, &change), theirs);
        let raw: String = p.raw(&["GET", &format!("P flag:{}", flag.key)]).await?;
        assert!(raw.contains(&format!("\"default_value\":{}", theirs[0])), "{raw}");
    }
    Ok(())
}

#[tokio::test]
async fn what_python_has_no_number_for_is_kept_until_they_rewrite_it_and_then_reported() -> Result<()> {
    let mut p = Pair::new().await?;
    p.ours.create_flag(flag("fine")).await?;
    let (huge, ..) = carriers("huge", &"1e400".parse()?);
    let huge = p.ours.create_flag(huge).await?.into_value();
    let stored = p.ours.get_flag(&huge.key).await?.context("stored")?;
    assert_eq!(stored.metadata.text(), "1e400");
    assert_eq!(p.theirs.repr("1e400")?, "inf");
    // They read it as infinity, and write a text that is no JSON.
    let ours = serde_json::to_string(&huge)?;
    let rewritten = p.theirs.call("update_flag", &[json!(ours)])?;
    assert!(rewritten.as_str().is_some_and(|text| text.contains("\"default_value\": Infinity")));

    let error = p.ours.get_flag(&huge.key).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.key()),
        (ErrorKind::Corrupt, Some(&flags_core::Key::Flag(huge.key.clone())))
    );
    let all = p.ours.get_all_flags().await?;
    assert_eq!((all.records.len(), all.corrupt.len()), (1, 1));
    // It can be put right, and deleted.
    p.ours.update_flag(huge.clone(), error.revision()).await?;
    assert_eq!(p.ours.get_flag(&huge.key).await?.context("mended")?.metadata.text(), "1e400");
    p.theirs.call("update_flag", &[json!(ours)])?;
    assert!(p.ours.delete_flag(&huge.key, None).await?);
    assert!(p.ours.get_flag(&flag_key("fine")).await?.is_some());
    Ok(())
}
