//! An edit copies what it changes, counted in bytes; and an edited ruleset is the one that would be built
//! anew.

use std::sync::Arc;

use flags_core::{
    Condition, EntityId, EntityType, Flag, FlagId, FlagKey, Override, Rule, TimeOfDay, TimeSchedule,
    Timestamp,
};
use flags_engine::{EvaluationContext, Reason, Ruleset, RulesetBuilder, Semantics};

fn flag(key: &str) -> Flag {
    let mut flag = Flag::new(FlagKey::new(key).unwrap());
    flag.rules.push(Rule::new("nl").when(Condition::new("country", "eq", "NL")));
    flag
}

fn record(flag_id: FlagId, user: usize) -> Override {
    Override::new(flag_id, EntityType::new("user").unwrap(), EntityId::new(format!("u{user}")).unwrap(), true)
}

fn schedule(flag_id: FlagId, name: &str) -> TimeSchedule {
    let time = |hour| TimeOfDay::new(hour, 0, 0).unwrap();
    TimeSchedule::new(flag_id, name, time(0), time(23))
}

fn reason(ruleset: &Ruleset, key: &str, user: &str) -> Reason {
    let context = EvaluationContext::builder().user_id(user).build();
    ruleset.evaluator(&context, Timestamp::UNIX_EPOCH).boolean(key, false).reason
}

#[test]
fn one_flag_of_ten_thousand() {
    let flags: Vec<Arc<Flag>> = (0..10_000).map(|n| flag(&format!("flag-{n}")).into()).collect();
    let builder = flags.iter().cloned().fold(Ruleset::builder(Semantics::Compat), RulesetBuilder::flag);
    let ruleset = builder.build();
    let changed = Arc::new((*flags[5_000]).clone());
    let counted = allocation_counter::measure(|| {
        std::hint::black_box(ruleset.edit().flag(Arc::clone(&changed)).build());
    });
    assert!(counted.bytes_total < 32_768, "{} bytes", counted.bytes_total);
    let edited = ruleset.edit().flag(Arc::clone(&changed)).build();
    assert_eq!(edited.len(), 10_000);
    for known in &flags {
        let same = Arc::ptr_eq(edited.flag(known.key.as_str()).unwrap(), known);
        assert_eq!(same, known.key != changed.key);
        assert!(Arc::ptr_eq(ruleset.flag(known.key.as_str()).unwrap(), known));
    }
}

#[test]
fn one_override_of_a_hundred_thousand() {
    let flag = flag("flag");
    let records: Vec<Arc<Override>> = (0..100_000).map(|user| record(flag.id, user).into()).collect();
    let mut built = None;
    let counted = allocation_counter::measure(|| {
        let builder = Ruleset::builder(Semantics::Compat).flag(flag.clone());
        built = Some(records.iter().cloned().fold(builder, RulesetBuilder::flag_override).build());
    });
    let ruleset = built.unwrap();
    assert!(counted.bytes_current < 100 * 100_000, "{} bytes beside the records", counted.bytes_current);
    let counted = allocation_counter::measure(|| {
        std::hint::black_box(ruleset.edit().remove_override(flag.id, "user", "u77").build());
    });
    assert!(counted.bytes_total < 16_384, "{} bytes", counted.bytes_total);
    let edited = ruleset.edit().remove_override(flag.id, "user", "u77").build();
    assert_eq!(reason(&edited, "flag", "u77"), Reason::Static);
    assert_eq!(reason(&edited, "flag", "u78"), Reason::Override);
    assert_eq!(reason(&ruleset, "flag", "u77"), Reason::Override);
}

#[test]
fn records_in_any_order_and_in_several_edits() {
    let flag = flag("flag");
    let hours = schedule(flag.id, "hours");
    // What a flag owns may come before it, and in an edit of its own.
    let first =
        Ruleset::builder(Semantics::Compat).flag_override(record(flag.id, 1)).time_schedule(hours.clone());
    let ruleset = first.build().edit().flag(flag.clone()).build();
    assert_eq!(reason(&ruleset, "flag", "u1"), Reason::Override);
    assert_eq!(reason(&ruleset, "flag", "u2"), Reason::TargetingMatch);
    let without = ruleset.edit().remove_time_schedule(flag.id, hours.id).build();
    assert_eq!(reason(&without, "flag", "u2"), Reason::Static);
    // It stays when the flag goes, and counts again when the flag comes back.
    let gone = ruleset.edit().remove_flag(&flag.key).build();
    assert!(gone.is_empty() && gone.flags().next().is_none());
    assert_eq!(reason(&gone.edit().flag(flag.clone()).build(), "flag", "u1"), Reason::Override);
    // A flag of another id under that key owns nothing of it, and one that takes the id back does.
    let mut other = flag.clone();
    other.id = FlagId::new();
    let other = ruleset.edit().flag(other).build();
    assert_eq!(reason(&other, "flag", "u1"), Reason::Static);
    assert_eq!(reason(&other.edit().flag(flag.clone()).build(), "flag", "u1"), Reason::Override);
    // Two flags of one id, which no store should hold, both own what is put for it.
    let mut twin = flag.clone();
    twin.key = FlagKey::new("twin").unwrap();
    let twins = without.edit().flag(twin).build();
    let changed = twins.edit().flag_override(record(flag.id, 3)).build();
    for key in ["flag", "twin"] {
        assert_eq!(reason(&changed, key, "u1"), Reason::Override);
        assert_eq!(reason(&changed, key, "u3"), Reason::Override);
        assert_eq!(reason(&twins, key, "u3"), Reason::Static);
    }
}
