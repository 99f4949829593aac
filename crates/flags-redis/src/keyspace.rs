//! The only place where a Redis key is built or parsed.
//!
//! Two layers share the prefix. The origin's keys, which other programs read: `flag:{key}`, `flags`,
//! `override:{flag_id}:{type}:{id}`, `schedule:{id}`, `schedules`, `schedules:flag:{flag_id}`, and the like.
//! And ours, which the origin never reads: `ids`, `overrides`, `overrides:flag:{flag_id}`, `rollout_phases`,
//! `segment:{id}`, `segments`, `segment_names`, `meta` and short-lived `probe:{uuid}`. A record's key always
//! begins with a namespace that ends in a colon, which no index key does, so a flag may have any name without
//! hiding an index.

use flags_core::{Alias, EntityId, EntityType, Error, ErrorKind, FlagId, FlagKey, Key, Kind, Result};
use uuid::Uuid;

/// The namespaces of records. A prefix that ends in one would put its keys among another store's records.
const NAMESPACES: [&str; 6] =
    ["flag:", "override:", "schedule:", "time_schedule:", "rollout_phase:", "segment:"];

/// What else is followed by a colon and more: the indexes by flag, and the scratch keys.
const INDEXES: [&str; 5] = ["overrides:", "schedules:", "time_schedules:", "rollout_phases:", "probe:"];

/// The keys under one prefix.
#[derive(Debug, Clone)]
pub(crate) struct Keyspace {
    prefix: String,
}

impl Keyspace {
    /// Checks the prefix: see [`RedisBuilder::prefix`](crate::RedisBuilder::prefix).
    pub(crate) fn new(prefix: impl Into<String>) -> Result<Self> {
        let prefix = prefix.into();
        let refuse = |reason| Err(Error::new(ErrorKind::Invalid, reason).with_field("prefix"));
        if prefix.contains(['*', '?', '[', ']', '\\']) {
            return refuse(
                "the prefix holds one of * ? [ ] \\, which patterns treat specially; leave it out",
            );
        }
        if prefix.contains("{}") {
            return refuse(
                "the prefix holds an empty hash tag {}, which no cluster honours; put a name in it",
            );
        }
        if prefix.len() > 255 {
            return refuse("the prefix is longer than 255 bytes");
        }
        // The server cuts the pattern of `SORT ... GET` at a NUL; no other one is of use to anybody either.
        if prefix.contains(char::is_control) {
            return refuse("the prefix holds a control character; leave it out");
        }
        // `ff:flag:` is among the flags of `ff:`; `feature_flag:` is a name of its own.
        let nested = |space: &&str| prefix == **space || prefix.ends_with(&format!(":{space}"));
        if NAMESPACES.iter().chain(&INDEXES).any(nested) {
            return refuse(
                "the prefix ends in the name of a kind of record or index, so that its keys would be among those of the \
                 store with the shorter prefix; choose another last part",
            );
        }
        Ok(Self { prefix })
    }

    /// What a cluster decides by where the keys are: what is between the first brace and the next closing
    /// one. `None` where the prefix alone does not say it.
    pub(crate) fn hash_tag(&self) -> Option<&str> {
        let (_, rest) = self.prefix.split_once('{')?;
        let (tag, _) = rest.split_once('}')?;
        (!tag.is_empty()).then_some(tag)
    }

    /// The key of a record's JSON.
    pub(crate) fn record(&self, key: &Key) -> String {
        format!("{}{}{}", self.prefix, namespace(key.kind()), member(key))
    }

    /// The key of what an index of that kind names so, also where that is no name of a record.
    pub(crate) fn named(&self, kind: Kind, member: &[u8]) -> Vec<u8> {
        [self.prefix.as_bytes(), namespace(kind).as_bytes(), member].concat()
    }

    /// `namespace*`, as `SORT ... GET` wants it. The prefix holds no `*`, so this one is the first.
    pub(crate) fn sort_pattern(&self, kind: Kind) -> String {
        format!("{}{}*", self.prefix, namespace(kind))
    }

    /// The index of every record of a kind: a sorted set by expiry of overrides, a set of the others.
    pub(crate) fn all(&self, kind: Kind) -> String {
        format!("{}{}", self.prefix, index(kind))
    }

    /// The index of a flag's records of a kind.
    pub(crate) fn owned(&self, kind: Kind, owner: FlagId) -> String {
        format!("{}{}:flag:{owner}", self.prefix, index(kind))
    }

    /// The hash from aliases to the names of their records. A hint: whoever follows it checks the record.
    pub(crate) fn aliases(&self, kind: Kind) -> String {
        let name = if kind == Kind::Segment { "segment_names" } else { "ids" };
        format!("{}{name}", self.prefix)
    }

    /// The hash that says that a store was initialised here.
    pub(crate) fn marker(&self) -> String {
        format!("{}meta", self.prefix)
    }

    /// A key that nobody else uses, for proving permissions.
    pub(crate) fn scratch(&self, name: &str) -> String {
        format!("{}probe:{}:{name}", self.prefix, Uuid::new_v4())
    }

    /// The `SCAN` pattern of overrides, of one flag or of all.
    pub(crate) fn override_pattern(&self, owner: Option<FlagId>) -> String {
        let namespace = namespace(Kind::Override);
        match owner {
            Some(owner) => format!("{}{namespace}{owner}:*", escape(&self.prefix)),
            None => format!("{}{namespace}*", escape(&self.prefix)),
        }
    }

    /// What the keys of records begin with, a kind each.
    pub(crate) fn record_prefixes(&self) -> Vec<String> {
        Kind::ALL.iter().map(|kind| format!("{}{}", self.prefix, namespace(*kind))).collect()
    }

    /// The `SCAN` pattern of everything under the prefix.
    pub(crate) fn pattern(&self) -> String {
        format!("{}*", escape(&self.prefix))
    }

    /// What is kept under that Redis key, if it is a record or an index.
    pub(crate) fn place(&self, redis_key: &[u8]) -> Option<Place> {
        let rest = redis_key.strip_prefix(self.prefix.as_bytes())?;
        let record = |kind: &Kind| Self::parse_member(*kind, rest.strip_prefix(namespace(*kind).as_bytes())?);
        let index = |kind: &Kind| {
            let owner = rest.strip_prefix(index(*kind).as_bytes())?.strip_prefix(b":flag:")?;
            let owner = std::str::from_utf8(owner).ok()?.parse().ok()?;
            Some(Place::Index(*kind, owner))
        };
        let found = Kind::ALL.iter().find_map(record).map(Place::Record);
        found.or_else(|| Kind::OWNED.iter().find_map(index))
    }

    /// The record that a member of an index of that kind names. `None` where it names none.
    pub(crate) fn parse_member(kind: Kind, member: &[u8]) -> Option<Key> {
        let member = std::str::from_utf8(member).ok()?;
        match kind {
            Kind::Flag => FlagKey::new(member).ok().map(Key::Flag),
            Kind::Override => {
                let mut parts = member.splitn(3, ':');
                let owner = parts.next()?;
                let parsed: FlagId = owner.parse().ok()?;
                // Another spelling of the id is another Redis key, and no record of ours or the origin's.
                let entity_type = EntityType::new(parts.next()?).ok()?;
                let entity_id = EntityId::new(parts.next()?).ok()?;
                (parsed.to_string() == owner).then_some(Key::Override(parsed, entity_type, entity_id))
            }
            Kind::ScheduledChange => member.parse().ok().map(Key::ScheduledChange),
            Kind::TimeSchedule => member.parse().ok().map(Key::TimeSchedule),
            Kind::RolloutPhase => member.parse().ok().map(Key::RolloutPhase),
            Kind::Segment => member.parse().ok().map(Key::Segment),
            _ => None,
        }
    }

    /// The override whose JSON is under that Redis key.
    pub(crate) fn parse_override(&self, redis_key: &[u8]) -> Option<Key> {
        let member = redis_key
            .strip_prefix(self.prefix.as_bytes())?
            .strip_prefix(namespace(Kind::Override).as_bytes())?;
        Self::parse_member(Kind::Override, member)
    }
}

/// What a Redis key is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A record's JSON.
    Record(Key),
    /// The index of a flag's records of a kind.
    Index(Kind, FlagId),
}

/// What stands for a record in the indexes of its kind, and after its namespace.
pub(crate) fn member(key: &Key) -> String {
    match key {
        Key::Flag(key) => key.to_string(),
        Key::Override(owner, entity_type, entity_id) => format!("{owner}:{entity_type}:{entity_id}"),
        Key::ScheduledChange(id) => id.to_string(),
        Key::TimeSchedule(id) => id.to_string(),
        Key::RolloutPhase(id) => id.to_string(),
        Key::Segment(id) => id.to_string(),
        // A kind that this version does not know has a text form nevertheless.
        other => other.to_string(),
    }
}

/// The field of the alias hash.
pub(crate) fn alias_field(alias: &Alias) -> String {
    match alias {
        Alias::FlagId(id) => id.to_string(),
        Alias::SegmentName(name) => name.to_string(),
        other => other.to_string(),
    }
}

const fn namespace(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag:",
        Kind::Override => "override:",
        Kind::ScheduledChange => "schedule:",
        Kind::TimeSchedule => "time_schedule:",
        Kind::RolloutPhase => "rollout_phase:",
        Kind::Segment => "segment:",
        _ => "record:",
    }
}

const fn index(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flags",
        Kind::Override => "overrides",
        Kind::ScheduledChange => "schedules",
        Kind::TimeSchedule => "time_schedules",
        Kind::RolloutPhase => "rollout_phases",
        Kind::Segment => "segments",
        _ => "records",
    }
}

/// The text as a pattern that matches it alone.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyspace() -> Keyspace {
        Keyspace::new("ff:").unwrap()
    }

    #[test]
    fn keys_are_the_origins() {
        let id: FlagId = "6f1d2c3b-0000-4000-8000-000000000001".parse().unwrap();
        let flag = Key::Flag(FlagKey::new("a:*{}").unwrap());
        assert_eq!(keyspace().record(&flag), "ff:flag:a:*{}");
        let key = Key::Override(id, EntityType::new("user").unwrap(), EntityId::new("a:b").unwrap());
        assert_eq!(keyspace().record(&key), format!("ff:override:{id}:user:a:b"));
        assert_eq!(keyspace().parse_override(keyspace().record(&key).as_bytes()), Some(key));
        assert_eq!(keyspace().all(Kind::ScheduledChange), "ff:schedules");
        assert_eq!(keyspace().owned(Kind::RolloutPhase, id), format!("ff:rollout_phases:flag:{id}"));
    }

    #[test]
    fn a_redis_key_tells_what_it_is_for() {
        let id: FlagId = "6f1d2c3b-0000-4000-8000-000000000001".parse().unwrap();
        let place = |key: String| keyspace().place(key.as_bytes());
        let flag = Key::Flag(FlagKey::new("schedules:flag:x").unwrap());
        assert_eq!(place(keyspace().record(&flag)), Some(Place::Record(flag)));
        for kind in Kind::OWNED {
            assert_eq!(place(keyspace().owned(kind, id)), Some(Place::Index(kind, id)));
            assert_eq!(place(keyspace().all(kind)), None);
        }
        for other in ["ff:ids", "ff:meta", "gg:flag:x", "ff:x:flag:y", "ff:schedules:flag:no-id"] {
            assert_eq!(place(other.to_owned()), None, "{other}");
        }
    }

    #[test]
    fn prefixes_that_would_mix_stores_up_are_refused() {
        let names = ["ff:flag:", "flag:", "x:override:", "x:time_schedule:"];
        let indexes =
            ["x:schedules:", "schedules:", "x:overrides:", "x:time_schedules:", "x:rollout_phases:"];
        let characters = ["a*", "a?", "a[b]", "a\\", "{}:", "a\0:", "a\n", "a\u{7f}", "a\u{85}"];
        for prefix in names.into_iter().chain(indexes).chain(characters).chain(["x:probe:"]) {
            assert_eq!(Keyspace::new(prefix).unwrap_err().kind(), ErrorKind::Invalid, "{prefix}");
        }
        for prefix in
            ["", "feature_flags:", "feature_flag:", "ff:x:", "{ff}:", "a-b^c", "a b", "my:flags:", "ü:"]
        {
            assert!(Keyspace::new(prefix).is_ok(), "{prefix}");
        }
    }

    #[test]
    fn patterns_match_the_prefix_alone() {
        let keyspace = Keyspace::new("a-b^").unwrap();
        assert_eq!(keyspace.override_pattern(None), "a\\-b\\^override:*");
    }

    #[test]
    fn a_hash_tag_is_within_the_prefix() {
        let tag = |prefix: &str| Keyspace::new(prefix).unwrap().hash_tag().map(str::to_owned);
        for prefix in ["ff:", "{ff:", "ff}:", "}ff{"] {
            assert_eq!(tag(prefix), None, "{prefix}");
        }
        assert_eq!(tag("{ff}:").as_deref(), Some("ff"));
        assert_eq!(tag("a{b}c{d}:").as_deref(), Some("b"));
        assert_eq!(tag("}{{b}:").as_deref(), Some("{b"));
    }

    #[test]
    fn foreign_text_is_no_record() {
        for member in ["", "no-uuid:user:1", "6F1D2C3B-0000-4000-8000-000000000001:user:1"] {
            assert_eq!(Keyspace::parse_member(Kind::Override, member.as_bytes()), None, "{member}");
        }
        assert_eq!(Keyspace::parse_member(Kind::Flag, b"\xff"), None);
    }
}
