//! The common decisions allocate nothing: they cost what they compare.

use flags_core::{Condition, EntityId, EntityType, Flag, FlagKey, Json, Override, Rule, Timestamp, Variant};
use flags_engine::{EvaluationContext, Reason, Ruleset, Semantics};

fn key(name: &str) -> FlagKey {
    FlagKey::new(name).expect("a flag key")
}

fn with_rule(name: &str, rule: Rule) -> Flag {
    let mut flag = Flag::new(key(name));
    flag.rules.push(rule);
    flag
}

fn ruleset(semantics: Semantics) -> Ruleset {
    let overridden = Flag::new(key("override"));
    let entity = (EntityType::new("user").expect("a type"), EntityId::new("u1").expect("an id"));
    let by_override = Override::new(overridden.id, entity.0, entity.1, true);
    let mut rollout = Rule::new("half").when(Condition::new("plan", "eq", "pro"));
    rollout.rollout_percentage = Some(100);
    let many = Rule::new("many")
        .when(Condition::new("country", "in", ["NL", "BE", "LU", "DE", "FR", "ES", "IT", "PT", "AT"]))
        .when(Condition::new("seats", "gte", 10))
        .when(Condition::new("email", "matches", r".*@example\.com$"))
        .when(Condition::new("app_version", "semver_gt", "1.9.0"))
        .when(Condition::new("since", "date_after", "2026-01-01T00:00:00Z"))
        .when(Condition::new("since", "time_window", serde_json::json!({"start": "09:00", "end": "17:00"})))
        .when(Condition::new("roles", "contains", "admin"))
        .when(Condition::new("email", "ends_with", ".com"));
    let mut split = Flag::new(key("split"));
    split.variants.push(Variant::new("a", r#"{"enabled": true}"#.parse().expect("JSON"), 100));
    let mut text = Flag::new(key("text"));
    text.flag_type = flags_core::FlagType::String;
    text.default_value = Some(Json::from("blue"));
    Ruleset::builder(semantics)
        .flag(Flag::new(key("static")))
        .flag(overridden)
        .flag_override(by_override)
        .flag(with_rule("one rule", Rule::new("nl").when(Condition::new("country", "eq", "NL"))))
        .flag(with_rule("rollout", rollout))
        .flag(with_rule("many conditions", many))
        .flag(split)
        .flag(text)
        .build()
}

#[test]
fn common_decisions_allocate_nothing() {
    let context = EvaluationContext::builder()
        .targeting_key("user-1")
        .user_id("u1")
        .country("NL")
        .app_version("1.10.0")
        .attribute("plan", "pro")
        .attribute("seats", 12)
        .attribute("email", "ann@example.com")
        .attribute("roles", vec!["dev", "admin"])
        .attribute("since", "2026-02-01T10:30:00+00:00")
        .build();
    for semantics in [Semantics::Compat, Semantics::Strict] {
        let ruleset = ruleset(semantics);
        let evaluator = ruleset.evaluator(&context, Timestamp::UNIX_EPOCH);
        for (flag, reason) in [
            ("static", Reason::Static),
            ("override", Reason::Override),
            ("one rule", Reason::TargetingMatch),
            ("rollout", Reason::TargetingMatch),
            ("many conditions", Reason::TargetingMatch),
            ("split", Reason::Split),
            ("no such flag", Reason::Default),
        ] {
            // A regex makes its scratch space when it is first used.
            assert_eq!(evaluator.boolean(flag, false).reason, reason, "{flag}, {semantics:?}");
            let counted = allocation_counter::measure(|| {
                std::hint::black_box(evaluator.boolean(std::hint::black_box(flag), false));
            });
            assert_eq!(counted.count_total, 0, "{flag}, {semantics:?}");
        }
        let counted = allocation_counter::measure(|| {
            assert_eq!(evaluator.string("text", "red").value, "blue");
        });
        assert_eq!(counted.count_total, 0, "text, {semantics:?}");
    }
}
