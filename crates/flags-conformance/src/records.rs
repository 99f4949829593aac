//! The records that cases work with.

use std::sync::Arc;

use flags_core::{
    ChangeType, EntityId, EntityType, Flag, FlagId, FlagKey, Json, Key, Kind, Model, Override, Record,
    RolloutPhase, ScheduledChange, Segment, SegmentName, TimeOfDay, TimeSchedule, Timestamp,
};

use crate::stop::{Checked, Stop};

/// Texts that a store may take for something else than text.
pub(crate) fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        " ",
        ":",
        "::",
        "*",
        "?",
        "[a-z]",
        "[^",
        "{}",
        "{tag}",
        "}{",
        "\\",
        "\\*",
        "/",
        "../..",
        "%00",
        "\n",
        "\r\n$3",
        "\0",
        "\t",
        "'",
        "\"",
        "`",
        "flag:x",
        "flags",
        "s",
        "ids",
        "override:",
        "segment:s",
        "null",
        "0",
        "-1",
        "é",
        "e\u{301}",
        "旗",
        "🏁",
        "\u{202e}",
        "\u{feff}",
        "A",
        "a",
        "a ",
        " a",
        "--",
        "${x}",
        "$(x)",
    ]
    .map(str::to_owned)
    .into();
    texts.push("x".repeat(255));
    texts.push("ü".repeat(127));
    texts
}

/// JSON that a store may round, reorder or refuse.
pub(crate) const HOSTILE_JSON: [&str; 16] = [
    "1180591620717411303424",
    "1e400",
    "-0.0",
    "1.0",
    "1",
    "0.1000000000000000055511151231257827",
    "9007199254740993",
    r#""""#,
    r#""null""#,
    r#""\u0000 \ud83c\udf89 \" \\ \/""#,
    r#"{"b":1,"a":2,"a":3}"#,
    r#"{ "spaced" : [ 1 , 2 ] }"#,
    "[]",
    "{}",
    r#"[null,true,[[]],{"":{}}]"#,
    r#""旗""#,
];

/// What a server calls its news: a client library may take an answer that begins with such bytes for them.
pub(crate) const WORDS_OF_PUSHES: [&str; 10] = [
    "message",
    "pmessage",
    "smessage",
    "subscribe",
    "psubscribe",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "pubsub",
    "invalidate",
];

pub(crate) fn json(text: &str) -> Checked<Json> {
    text.parse().map_err(|error| Stop::failed(format!("the suite's own JSON {text}: {error}")))
}

pub(crate) fn flag_key(text: &str) -> Checked<FlagKey> {
    FlagKey::new(text).map_err(|error| Stop::failed(format!("the suite's own flag key {text:?}: {error}")))
}

pub(crate) fn flag(key: &str) -> Checked<Flag> {
    flag_key(key).map(Flag::new)
}

pub(crate) fn segment(name: &str) -> Checked<Segment> {
    segment_name(name).map(Segment::new)
}

pub(crate) fn segment_name(name: &str) -> Checked<SegmentName> {
    SegmentName::new(name)
        .map_err(|error| Stop::failed(format!("the suite's own segment name {name:?}: {error}")))
}

pub(crate) fn override_of(owner: FlagId, entity_type: &str, entity_id: &str) -> Checked<Override> {
    let name =
        |error| Stop::failed(format!("the suite's own entity {entity_type:?}, {entity_id:?}: {error}"));
    let entity_type = EntityType::new(entity_type).map_err(name)?;
    let entity_id = EntityId::new(entity_id).map_err(name)?;
    Ok(Override::new(owner, entity_type, entity_id, true))
}

/// A record of that kind that the flag owns.
pub(crate) fn owned(kind: Kind, owner: FlagId) -> Checked<Record> {
    let due = at(1_800_000_000);
    Ok(match kind {
        Kind::Override => override_of(owner, "user", "u1")?.into(),
        Kind::ScheduledChange => ScheduledChange::new(owner, ChangeType::Enable, due).into(),
        Kind::TimeSchedule => {
            let midnight: TimeOfDay = "00:00"
                .parse()
                .map_err(|error| Stop::failed(format!("the suite's own time of day: {error}")))?;
            TimeSchedule::new(owner, "nights", midnight, midnight).into()
        }
        Kind::RolloutPhase => RolloutPhase::new(owner, 1, 50, due).into(),
        kind => return Err(Stop::failed(format!("the suite knows no owned record of kind {kind}"))),
    })
}

/// One record of each kind that a flag owns.
pub(crate) fn one_of_each_owned(owner: FlagId) -> Checked<Vec<Record>> {
    Kind::OWNED.into_iter().map(|kind| owned(kind, owner)).collect()
}

/// A flag of that key, one of each kind that it owns, and a segment of that name.
pub(crate) fn one_of_each(name: &str) -> Checked<Vec<Record>> {
    let flag = flag(name)?;
    let mut records = one_of_each_owned(flag.id)?;
    records.insert(0, flag.into());
    records.push(segment(name)?.into());
    Ok(records)
}

/// So many flags.
pub(crate) fn flags(count: usize, prefix: &str) -> Checked<Vec<Record>> {
    (0..count).map(|n| flag(&format!("{prefix}{n}")).map(Record::from)).collect()
}

/// So many overrides of one flag.
pub(crate) fn overrides(count: usize, owner: FlagId) -> Checked<Vec<Record>> {
    (0..count).map(|n| override_of(owner, "user", &n.to_string()).map(Record::from)).collect()
}

/// The record under the same key with another value, a different one for each `n`.
pub(crate) fn edited(record: &Record, n: u32) -> Record {
    fn edit<T: Model>(record: &Arc<T>, n: u32) -> Record {
        let mut record = T::clone(record);
        *record.timestamps_mut().1 = Some(at(1_700_000_000 + i64::from(n)));
        Arc::new(record).into_record()
    }
    match record {
        Record::Flag(record) => edit(record, n),
        Record::Override(record) => edit(record, n),
        Record::ScheduledChange(record) => edit(record, n),
        Record::TimeSchedule(record) => edit(record, n),
        Record::RolloutPhase(record) => edit(record, n),
        Record::Segment(record) => edit(record, n),
        other => other.clone(),
    }
}

/// The record under the same key, owned by another flag; `None` where the key itself names the flag.
pub(crate) fn given_to(record: &Record, owner: FlagId) -> Option<Record> {
    let mut given = record.clone();
    match &mut given {
        Record::ScheduledChange(record) => Arc::make_mut(record).flag_id = owner,
        Record::TimeSchedule(record) => Arc::make_mut(record).flag_id = owner,
        Record::RolloutPhase(record) => Arc::make_mut(record).flag_id = owner,
        _ => return None,
    }
    Some(given)
}

pub(crate) fn keys(records: &[Record]) -> Vec<Key> {
    records.iter().map(Record::key).collect()
}

/// The instant so many seconds after the Unix epoch.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(seconds.saturating_mul(1_000_000)).unwrap_or(Timestamp::MAX)
}
