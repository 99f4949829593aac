//! What the typed API refuses to write, and what it lets pass since it was there before.

use std::sync::Arc;

use flags_core::storage::{Batch, Expect};
use flags_core::validate::{Problem, Validate};
use flags_core::{
    ChangeType, Condition, ErrorKind, Flag, FlagId, FlagKey, FlagStore, FlagType, Json, RecurrenceType,
    RolloutPhase, Rule, ScheduledChange, Segment, SegmentName, TimeOfDay, TimeSchedule, Timestamp, Variant,
};
use flags_memory::MemoryStorage;

fn json(text: &str) -> Json {
    text.parse().expect("JSON")
}

fn fields(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|p| p.field.rsplit(']').next().unwrap_or_default().trim_start_matches('.')).collect()
}

fn flag(edit: impl FnOnce(&mut Flag)) -> Flag {
    let mut flag = Flag::new(FlagKey::new("k").expect("a key"));
    edit(&mut flag);
    flag
}

#[track_caller]
fn assert_fields(record: &impl Validate, expected: &[&str]) {
    let problems = record.problems();
    assert_eq!(fields(&problems), expected, "{problems:?}");
}

#[test]
fn percentages_lie_within_0_and_100() {
    for (percentage, expected) in
        [(-1, &["rollout_percentage"][..]), (0, &[]), (100, &[]), (101, &["rollout_percentage"])]
    {
        let mut rule = Rule::new("r");
        rule.rollout_percentage = Some(percentage);
        assert_fields(&flag(|f| f.rules.push(rule)), expected);
    }
    let at = Timestamp::UNIX_EPOCH;
    let mut change = ScheduledChange::new(FlagId::new(), ChangeType::UpdateRollout, at);
    change.new_rollout_percentage = Some(101);
    assert_fields(&change, &["new_rollout_percentage"]);
    assert_fields(&RolloutPhase::new(FlagId::new(), 1, -1, at), &["target_percentage"]);
}

#[test]
fn weights_are_not_negative_and_variant_keys_unique() {
    let on = || json(r#"{"enabled": true}"#);
    let variants = |weights: &[(&str, i64)]| {
        flag(|f| f.variants = weights.iter().map(|(key, weight)| Variant::new(*key, on(), *weight)).collect())
    };
    assert_fields(&variants(&[("a", 0), ("b", 1000)]), &[]);
    assert_fields(&variants(&[("a", -1), ("b", 1)]), &["weight"]);
    assert_fields(&variants(&[("a", 1), ("a", 1)]), &["key"]);
}

#[test]
fn values_fit_the_type_of_the_flag() {
    for (flag_type, value, fits) in [
        (FlagType::Boolean, "true", true),
        (FlagType::Boolean, "null", true),
        (FlagType::Boolean, "1", false),
        (FlagType::String, r#""x""#, true),
        (FlagType::String, "null", true),
        (FlagType::String, "1", false),
        (FlagType::Number, "1e400", true),
        (FlagType::Number, r#""1""#, false),
        (FlagType::Json, "[1]", true),
    ] {
        let mut rule = Rule::new("r");
        rule.serve_value = Some(json(value));
        let flag =
            flag(|f| (f.flag_type, f.default_value, f.rules) = (flag_type, Some(json(value)), vec![rule]));
        assert_fields(&flag, if fits { &[] } else { &["default_value", "serve_value"] });
    }
    for (flag_type, value, fits) in [
        (FlagType::Boolean, r#"{"enabled": false, "size": 3}"#, true),
        (FlagType::Boolean, r#"{"enabled": 1}"#, false),
        (FlagType::Boolean, "true", false),
        (FlagType::String, r#""x""#, true),
        (FlagType::String, r#"{"enabled": true}"#, false),
    ] {
        let flag = flag(|f| (f.flag_type, f.variants) = (flag_type, vec![Variant::new("v", json(value), 1)]));
        assert_fields(&flag, if fits { &[] } else { &["value"] });
    }
}

#[test]
fn conditions_have_a_known_operator_and_an_attribute() {
    for (condition, expected) in [
        (Condition::new("country", "in", ["NL"]), &[][..]),
        (Condition::new("", "in_segment", "staff"), &[]),
        (Condition::from_json(json(r#"{"attribute": "plan", "value": "pro"}"#)), &[]),
        (Condition::new("country", "equals", "NL"), &["conditions.operator"]),
        (Condition::new("", "eq", "NL"), &["conditions.attribute"]),
        (Condition::from_json(json(r#"{"operator": "eq"}"#)), &["conditions.attribute"]),
        (Condition::from_json(json("[]")), &["conditions"]),
    ] {
        let rule = Rule::new("r").when(condition.clone());
        assert_fields(&flag(|f| f.rules.push(rule)), expected);
        let mut segment = Segment::new(SegmentName::new("s").expect("a name"));
        segment.conditions.push(condition);
        assert_fields(&segment, expected);
    }
}

#[test]
fn time_schedules_have_real_days_zones_and_cron_expressions() {
    let schedule = |edit: fn(&mut TimeSchedule)| {
        let mut schedule = TimeSchedule::new(FlagId::new(), "w", TimeOfDay::MIDNIGHT, TimeOfDay::LAST_MINUTE);
        edit(&mut schedule);
        schedule
    };
    assert_fields(&schedule(|s| s.days_of_week = Some(vec![0, 6])), &[]);
    assert_fields(&schedule(|s| s.days_of_week = Some(vec![7])), &["days_of_week"]);
    assert_fields(&schedule(|s| s.days_of_month = Some(vec![0])), &["days_of_month"]);
    assert_fields(&schedule(|s| s.timezone = "Asia/Kathmandu".into()), &[]);
    assert_fields(&schedule(|s| s.timezone = "Mars/Olympus".into()), &["timezone"]);
    assert_fields(&schedule(|s| s.recurrence_type = RecurrenceType::Cron), &["cron_expression"]);
    for (expression, expected) in [
        ("*/15 9-17 * * 1-5", &[][..]),
        ("5,10,20-30 * * * 0", &[]),
        ("61 * * * *", &["cron_expression"]),
        ("* * * *", &["cron_expression"]),
        ("* * * * * UTC", &["cron_expression"]),
        ("bad", &["cron_expression"]),
    ] {
        let mut cron = schedule(|s| s.recurrence_type = RecurrenceType::Cron);
        cron.cron_expression = Some(expression.to_owned());
        assert_fields(&cron, expected);
    }
    let backwards = schedule(|s| {
        s.valid_from = Some(Timestamp::MAX);
        s.valid_until = Some(Timestamp::MIN);
    });
    assert_fields(&backwards, &["valid_until"]);
}

#[test]
fn the_reserved_member_is_refused_everywhere() {
    let reserved = flag(|f| {
        f.extra.insert("revision", Json::from("1"));
        let mut rule = Rule::new("r");
        rule.extra.insert("revision", Json::from("1"));
        f.rules.push(rule);
    });
    assert_fields(&reserved, &["revision", "revision"]);
}

#[tokio::test]
async fn an_update_judges_only_what_differs_from_the_stored_flag() {
    let storage = Arc::new(MemoryStorage::new());
    let store = FlagStore::new(storage.clone());
    // As another writer left it: a percentage of 150 and an operator that nobody knows.
    let loose = flag(|f| {
        let mut rule = Rule::new("r").when(Condition::new("a", "sounds_like", "b"));
        rule.rollout_percentage = Some(150);
        f.rules.push(rule);
    });
    flags_core::Storage::commit(&storage, Batch::new().put(loose.clone(), Expect::Absent))
        .await
        .expect("unchecked");

    let mut off = loose.clone();
    off.default_enabled = false;
    off.status = flags_core::FlagStatus::Inactive;
    off.rules.insert(0, Rule::new("first"));
    store.update_flag(off.clone(), None).await.expect("what was wrong before is excused, wherever it moved");

    let mut worse = off.clone();
    worse.rules[1].rollout_percentage = Some(151);
    let error = store.update_flag(worse.clone(), None).await.expect_err("a new problem");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Invalid, Some("update_flag")));
    assert!(error.field().is_some_and(|field| field.ends_with("rollout_percentage")), "{error}");
    let error = store.upsert_flag(worse.clone()).await.expect_err("a new problem");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let error = store.create_flag(worse).await.expect_err("a new flag has no excuse");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let outcome: flags_core::Result<_> = store
        .modify_flag(&off.key, |flag| {
            flag.rules[1].conditions.push(Condition::new("a", "rhymes_with", "b"));
            Ok(())
        })
        .await;
    assert_eq!(outcome.expect_err("a new problem").kind(), ErrorKind::Invalid);
}
