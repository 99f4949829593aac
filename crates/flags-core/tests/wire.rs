//! The wire form against what the origin itself wrote.

use std::collections::BTreeMap;

use flags_core::{Error, ErrorKind, Json, Key, Kind, Record, TimeOfDay, Timestamp};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Golden {
    prefix: String,
    keys: BTreeMap<String, GoldenKey>,
}

#[derive(Deserialize)]
struct GoldenKey {
    #[serde(rename = "type")]
    redis_type: String,
    value: Value,
}

const SETS: [&str; 3] =
    [include_str!("data/wire-1.json"), include_str!("data/wire-2.json"), include_str!("data/wire-3.json")];

/// Every record of every set, with the kind that its Redis key says.
fn records() -> Vec<(Kind, String)> {
    let mut records = Vec::new();
    for set in SETS {
        let golden: Golden = serde_json::from_str(set).expect("the reference data is JSON");
        for (key, stored) in golden.keys {
            if stored.redis_type != "string" {
                continue;
            }
            let name = key.strip_prefix(&golden.prefix).expect("every key has the prefix");
            let kind = match name.split_once(':').expect("every key names its kind").0 {
                "flag" => Kind::Flag,
                "override" => Kind::Override,
                "schedule" => Kind::ScheduledChange,
                "time_schedule" => Kind::TimeSchedule,
                "rollout_phase" => Kind::RolloutPhase,
                other => panic!("the reference data has a kind {other}"),
            };
            records.push((kind, stored.value.as_str().expect("a string").to_owned()));
        }
    }
    records
}

/// Instants as instants and times as times, wherever a member holds one; everything else as it is.
fn normalized(value: Value, member: &str) -> Value {
    match (member, value) {
        (member, Value::String(text)) if member.ends_with("_at") => {
            text.parse::<Timestamp>().expect("an instant").to_string().into()
        }
        ("start_time" | "end_time", Value::String(text)) => {
            text.parse::<TimeOfDay>().expect("a time of day").to_string().into()
        }
        (_, other) => other,
    }
}

fn members(json: &str) -> BTreeMap<String, Value> {
    let object: BTreeMap<String, Value> = serde_json::from_str(json).expect("an object");
    object
        .into_iter()
        .map(|(name, value)| {
            let value = normalized(value, &name);
            (name, value)
        })
        .collect()
}

fn reencoded(kind: Kind, json: &str) -> String {
    let record = Record::decode_kind(kind, json.as_bytes()).unwrap_or_else(|e| panic!("{json}: {e:?}"));
    let key = record.key();
    assert_eq!(Record::decode(&key, json.as_bytes()).expect("its own key"), record);
    String::from_utf8(record.encode().expect("it encodes")).expect("UTF-8")
}

#[test]
fn every_record_of_the_origin_decodes_and_encodes_to_the_same_members() {
    let records = records();
    let mut seen: BTreeMap<Kind, usize> = BTreeMap::new();
    for (kind, json) in &records {
        assert_eq!(members(&reencoded(*kind, json)), members(json), "{json}");
        *seen.entry(*kind).or_default() += 1;
    }
    assert_eq!(seen.len(), 5, "the reference data holds all five kinds: {seen:?}");
    assert!(records.len() > 250, "only {} records", records.len());
}

#[test]
fn the_exact_text_of_values_survives() {
    // The spacing is Python's, and the numbers are those that a float would ruin.
    let exact =
        r#"{"big": 1180591620717411303424, "huge": 1e400, "zero": -0.0, "e": "\u00e9", "n": [ 1.50 ]}"#;
    let (_, flag) = records().into_iter().find(|(kind, _)| *kind == Kind::Flag).expect("a flag");
    let mut object: BTreeMap<String, Json> = serde_json::from_str(&flag).expect("an object");
    for member in ["default_value", "metadata", "from_the_future"] {
        object.insert(member.to_owned(), exact.parse().expect("JSON"));
    }
    let rule = format!(
        r#"{{"id":"44e0d14d-66b4-4eb5-bbc6-eebac2dbba0b","name":"r","priority":1,"enabled":true,
            "conditions":[{exact},"odd",{{"attribute":3}}],"serve_enabled":true,"serve_value":{exact},"novel":{exact}}}"#
    );
    object.insert("rules".to_owned(), format!("[{rule}]").parse().expect("JSON"));
    let variant = format!(
        r#"{{"id":"44e0d14d-66b4-4eb5-bbc6-eebac2dbba0b","key":"v","name":"v","value":{exact},"weight":1,"novel":{exact}}}"#
    );
    object.insert("variants".to_owned(), format!("[{variant}]").parse().expect("JSON"));

    let written = reencoded(Kind::Flag, &serde_json::to_string(&object).expect("JSON"));
    assert_eq!(written.matches(exact).count(), 8, "{written}");
    assert!(written.contains(r#""odd",{"attribute":3}"#), "{written}");
}

#[test]
fn members_that_the_origin_writes_are_written_and_ours_only_where_set() {
    for (kind, json) in records() {
        let (theirs, ours) = (members(&json), members(&reencoded(kind, &json)));
        assert!(theirs.keys().eq(ours.keys()), "{theirs:?}\n{ours:?}");
        for list in ["rules", "variants", "tags"] {
            assert!(ours.get(list).is_none_or(Value::is_array), "{list} is never null");
        }
    }
}

#[test]
fn absent_and_null_members_have_defaults() {
    let id = "44e0d14d-66b4-4eb5-bbc6-eebac2dbba0b";
    let flag = format!(
        r#"{{"id":"{id}","key":"k","name":"n","flag_type":"boolean","status":"active","default_enabled":true,
            "rules":null,"tags":null,"variants":null,"description":null}}"#
    );
    let written = reencoded(Kind::Flag, &flag);
    assert!(
        written.contains(r#""tags":[],"metadata":{},"rules":[],"variants":[],"created_at":null"#),
        "{written}"
    );

    let schedule = format!(
        r#"{{"id":"{id}","flag_id":"{id}","name":"n","recurrence_type":"daily","start_time":null,"end_time":"",
            "timezone":null,"enabled":null}}"#
    );
    let written = reencoded(Kind::TimeSchedule, &schedule);
    assert!(written.contains(r#""start_time":"00:00:00","end_time":"23:59:00""#), "{written}");
    assert!(written.contains(r#""timezone":"UTC","enabled":true"#), "{written}");
}

#[test]
fn what_cannot_be_read_is_corrupt_and_names_key_and_member() {
    let id = "44e0d14d-66b4-4eb5-bbc6-eebac2dbba0b";
    let good = format!(
        r#"{{"id":"{id}","key":"k","name":"n","flag_type":"boolean","status":"active","default_enabled":true,
            "metadata":{{}},"rules":[{{"id":"{id}","name":"r","priority":1,"enabled":true,"serve_enabled":true}}]}}"#
    );
    let key = Key::Flag("k".parse().expect("a key"));
    assert!(Record::decode(&key, good.as_bytes()).is_ok());
    for (from, to, member) in [
        (r#""boolean""#, r#""colour""#, Some("flag_type")),
        (r#""active""#, r#""asleep""#, Some("status")),
        (r#""priority":1"#, r#""priority":"high""#, Some("rules[0].priority")),
        (r#"{}"#, r#"{"x":NaN}"#, Some("metadata")),
        (r#"{}"#, r#"{"x":"\ud83c"}"#, Some("metadata")),
        (r#""name":"n""#, r#""name":"\ud83c""#, Some("name")),
        (r#""name":"n","#, "", None),
        (r#""default_enabled":true"#, r#""default_enabled":null"#, Some("default_enabled")),
        (r#""key":"k""#, r#""key":"other""#, None),
        ("}]}", "}]", None),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Record::decode(&key, good.replacen(from, to, 1).as_bytes()).expect_err(to);
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.key(), Some(&key));
        if let Some(member) = member {
            assert!(
                error.field().is_some_and(|field| field.starts_with(member)),
                "{to}: {:?}",
                error.field()
            );
        }
    }
}

#[test]
fn the_revision_of_a_printed_record_is_no_part_of_it() {
    for (kind, json) in records() {
        let printed =
            format!("{{\"revision\": \"17\", {}", json.trim_start().strip_prefix('{').expect("an object"));
        let record = Record::decode_kind(kind, printed.as_bytes()).expect("it decodes");
        assert_eq!(record, Record::decode_kind(kind, json.as_bytes()).expect("it decodes"));
    }
}

#[test]
fn an_unknown_member_never_shadows_a_known_one() {
    let (kind, json) = records().swap_remove(0);
    let record = Record::decode_kind(kind, json.as_bytes()).expect("it decodes");
    let Record::Flag(flag) = record else { panic!("the first record is a flag") };
    let mut flag = (*flag).clone();
    flag.extra.insert("status", Json::from("asleep"));
    let error: Error = Record::from(flag).encode().expect_err("it would hold `status` twice");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn whole_numbers_written_as_floats_and_empty_instants_are_read() {
    let id = "44e0d14d-66b4-4eb5-bbc6-eebac2dbba0b";
    let phase = |number: &str| {
        format!(
            r#"{{"id":"{id}","flag_id":"{id}","phase_number":{number},"target_percentage":50.0,
                "scheduled_at":"2026-03-01","created_at":"","updated_at":null}}"#
        )
    };
    let written = reencoded(Kind::RolloutPhase, &phase("3.0"));
    assert!(written.contains(r#""phase_number":3,"target_percentage":50,"#), "{written}");
    assert!(written.contains(r#""created_at":null"#), "{written}");
    for number in ["3.5", "1e400", "1180591620717411303424", "9007199254740994.0", "true", "\"3\""] {
        assert!(Record::decode_kind(Kind::RolloutPhase, phase(number).as_bytes()).is_err(), "{number}");
    }
}

#[test]
fn keys_come_back_from_their_text_form() {
    for (kind, json) in records() {
        let key = Record::decode_kind(kind, json.as_bytes()).expect("it decodes").key();
        assert_eq!(key.to_string().parse::<Key>().expect("its text form"), key);
        assert_eq!(key.to_string().len(), key.text_len());
    }
    for text in [
        "",
        "flag",
        "flag:",
        "colour:x",
        "segment:x",
        "override:x:y:z",
        "segment:44E0D14D66B44EB5BBC6EEBAC2DBBA0B",
    ] {
        assert!(text.parse::<Key>().is_err(), "{text}");
    }
}

#[test]
fn json_holds_no_lone_surrogate_whatever_it_is_made_from() {
    let raw =
        serde_json::value::RawValue::from_string(r#""\ud800""#.to_owned()).expect("syntax is all it checks");
    assert!(Json::new(&raw).is_err());
    assert!(Json::new(&[raw]).is_err());
}

#[test]
fn a_stored_id_is_hyphenated() {
    let (hyphenated, simple) = ("44e0d14d-66b4-4eb5-bbc6-eebac2dbba0b", "44e0d14d66b44eb5bbc6eebac2dbba0b");
    let segment = |id: &str| format!(r#"{{"id":"{id}","name":"n"}}"#);
    let read = |id: &str| Record::decode_kind(Kind::Segment, segment(id).as_bytes());
    assert!(read(hyphenated).is_ok() && read(&hyphenated.to_uppercase()).is_ok());
    for other in [simple, &format!("{{{hyphenated}}}"), &format!("urn:uuid:{hyphenated}"), ""] {
        let error = read(other).expect_err(other);
        assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("id")));
    }
    assert!(simple.parse::<flags_core::SegmentId>().is_ok(), "people may write it as they like");
}
