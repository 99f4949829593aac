//! Property tests: whatever a record holds, it comes back from its stored form.

use flags_core::json::depth;
use flags_core::{
    ChangeType, Condition, EntityId, EntityType, Flag, FlagId, FlagKey, FlagStatus, FlagType, Json, Override,
    Record, RecurrenceType, RolloutPhase, Rule, ScheduledChange, Segment, SegmentName, TimeOfDay,
    TimeSchedule, Timestamp, Variant,
};
use proptest::prelude::*;
use proptest::sample::select;

/// Any JSON, as text that no serializer of ours wrote: odd numbers, odd spacing, escapes.
fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("text has a JSON form")),
        Just("\"\\ud83c\\udf89\\/\\u00e9\"".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[ {} ]", items.join(" ,\n"))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(name, value)| format!("{} : {value}", serde_json::to_string(&name).expect("text")))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
    .prop_map(|text| text.parse().expect("the strategy writes JSON"))
}

fn value() -> impl Strategy<Value = Option<Json>> {
    // A `null` reads as none.
    prop::option::of(json().prop_filter("not null", |json| !json.is_null()))
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.unix_micros()..=Timestamp::MAX.unix_micros())
        .prop_map(|micros| Timestamp::from_unix_micros(micros).expect("within the range"))
}

fn stamps() -> impl Strategy<Value = (Option<Timestamp>, Option<Timestamp>)> {
    (prop::option::of(instant()), prop::option::of(instant()))
}

fn time_of_day() -> impl Strategy<Value = TimeOfDay> {
    (0_u8..24, 0_u8..60, 0_u8..60).prop_map(|(h, m, s)| TimeOfDay::new(h, m, s).expect("within the range"))
}

fn name() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| {
        let short: String = text.chars().take(60).collect();
        if short.is_empty() { "x".to_owned() } else { short }
    })
}

fn unknown() -> impl Strategy<Value = Vec<(String, Json)>> {
    prop::collection::vec((name().prop_map(|name| format!("x-{name}")), json()), 0..3)
}

fn flag() -> impl Strategy<Value = Flag> {
    let rule = (name(), any::<i64>(), any::<bool>(), prop::collection::vec(json(), 0..3), value(), unknown());
    let variant = (name(), json(), any::<i64>(), unknown());
    (
        (
            name(),
            prop::option::of(any::<String>()),
            select(FlagType::ALL),
            select(FlagStatus::ALL),
            any::<bool>(),
        ),
        (value(), prop::collection::vec(any::<String>(), 0..3), json(), stamps(), unknown()),
        (prop::collection::vec(rule, 0..3), prop::collection::vec(variant, 0..3)),
    )
        .prop_map(
            |(
                (key, description, flag_type, status, enabled),
                (default, tags, metadata, at, extra),
                lists,
            )| {
                let mut flag = Flag::new(FlagKey::new(key).expect("a key"));
                (flag.description, flag.flag_type, flag.status) = (description, flag_type, status);
                (flag.default_enabled, flag.default_value, flag.tags, flag.metadata) =
                    (enabled, default, tags, metadata);
                (flag.created_at, flag.updated_at) = at;
                for (name, priority, on, conditions, value, extra) in lists.0 {
                    let mut rule = Rule::new(name);
                    (rule.priority, rule.enabled, rule.serve_value) = (priority, on, value);
                    rule.rollout_percentage = Some(priority);
                    rule.conditions = conditions.into_iter().map(Condition::from_json).collect();
                    extra.into_iter().for_each(|(name, value)| drop(rule.extra.insert(name, value)));
                    flag.rules.push(rule);
                }
                for (key, value, weight, extra) in lists.1 {
                    let mut variant = Variant::new(key, value, weight);
                    extra.into_iter().for_each(|(name, value)| drop(variant.extra.insert(name, value)));
                    flag.variants.push(variant);
                }
                extra.into_iter().for_each(|(name, value)| drop(flag.extra.insert(name, value)));
                flag
            },
        )
}

fn owned() -> impl Strategy<Value = Record> {
    (
        (any::<String>(), name(), any::<bool>(), value(), prop::option::of(any::<i64>())),
        (instant(), prop::option::of(instant()), stamps(), unknown(), select(ChangeType::ALL)),
        (time_of_day(), time_of_day(), prop::option::of(prop::collection::vec(any::<i64>(), 0..8))),
        (select(RecurrenceType::ALL), 0..4),
    )
        .prop_map(
            |(
                (text, word, on, value, number),
                (at, maybe, stamps, extra, change_type),
                times,
                (recurrence, kind),
            )| {
                let flag_id = FlagId::new();
                macro_rules! finish {
                    ($record:ident) => {{
                        ($record.created_at, $record.updated_at) = stamps;
                        extra.into_iter().for_each(|(name, value)| drop($record.extra.insert(name, value)));
                        Record::from($record)
                    }};
                }
                match kind {
                    0 => {
                        let entity_type = EntityType::new(word.replace(':', "_")).expect("no colon");
                        let entity_id = EntityId::new(text).expect("anything");
                        let mut o = Override::new(flag_id, entity_type, entity_id, on);
                        (o.value, o.expires_at) = (value, maybe);
                        finish!(o)
                    }
                    1 => {
                        let mut change = ScheduledChange::new(flag_id, change_type, at);
                        (change.executed, change.executed_at, change.new_value) = (on, maybe, value);
                        (change.new_rollout_percentage, change.created_by) = (number, Some(text));
                        change.error = maybe.map(|_| word);
                        finish!(change)
                    }
                    2 => {
                        let mut schedule = TimeSchedule::new(flag_id, text, times.0, times.1);
                        (schedule.recurrence_type, schedule.enabled, schedule.timezone) =
                            (recurrence, on, word);
                        (schedule.days_of_week, schedule.days_of_month) = (times.2, number.map(|n| vec![n]));
                        (schedule.valid_from, schedule.valid_until) = (maybe, Some(at));
                        finish!(schedule)
                    }
                    _ => {
                        let mut phase = RolloutPhase::new(flag_id, number.unwrap_or(1), 50, at);
                        (phase.executed, phase.executed_at) = (on, maybe);
                        finish!(phase)
                    }
                }
            },
        )
}

fn segment() -> impl Strategy<Value = Segment> {
    (name(), prop::collection::vec(json(), 0..3), any::<bool>(), stamps(), unknown()).prop_map(
        |(name, conditions, enabled, stamps, extra)| {
            let mut segment = Segment::new(SegmentName::new(name).expect("a name"));
            segment.conditions = conditions.into_iter().map(Condition::from_json).collect();
            (segment.enabled, segment.created_at, segment.updated_at) = (enabled, stamps.0, stamps.1);
            extra.into_iter().for_each(|(name, value)| drop(segment.extra.insert(name, value)));
            segment
        },
    )
}

fn comes_back(record: &Record) -> Result<(), TestCaseError> {
    let bytes = record.encode().expect("it encodes");
    let text = std::str::from_utf8(&bytes).expect("UTF-8");
    prop_assert_eq!(&Record::decode(&record.key(), &bytes).expect("it decodes"), record, "{}", text);
    prop_assert!(depth(text) >= 1);
    Ok(())
}

proptest! {
    #[test]
    fn flags_come_back(flag in flag()) {
        comes_back(&flag.into())?;
    }

    #[test]
    fn what_flags_own_comes_back(record in owned()) {
        comes_back(&record)?;
    }

    #[test]
    fn segments_come_back(segment in segment()) {
        comes_back(&segment.into())?;
    }

    #[test]
    fn instants_come_back(instant in instant()) {
        prop_assert_eq!(instant.to_string().parse::<Timestamp>().expect("an instant"), instant);
    }

    #[test]
    fn arbitrary_bytes_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), flag in flag()) {
        let key = Record::from(flag.clone()).key();
        prop_assert!(Record::decode(&key, &bytes).is_err());
        // A real record, cut or with one byte changed, is an error or another record; it is never a panic.
        let mut stored = Record::from(flag).encode().expect("it encodes");
        if let Some(byte) = bytes.first() {
            let at = usize::from(*byte) * stored.len() / 256;
            stored[at] ^= byte;
            let _ = Record::decode(&key, &stored);
            let _ = Record::decode(&key, &stored[..at]);
        }
    }
}
