//! Two libraries on one store: ours, and the origin in a process of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use flags_core::storage::{Query, Stored};
use flags_core::{
    ChangeType, Condition, EntityId, EntityType, Flag, FlagId, FlagKey, FlagStore, FlagType, Key, Kind,
    Override, Record, RolloutPhase, Rule, ScheduledChange, Storage as _, TimeSchedule, Timestamp, Variant,
};
use flags_redis::RedisStorage;
use flags_tests::origin::{Origin, Raised};
use flags_tests::server::{Shared, patient, raw, unique_prefix};
use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

pub(crate) struct Pair {
    server: Shared,
    pub(crate) prefix: String,
    pub(crate) storage: Arc<RedisStorage>,
    pub(crate) ours: FlagStore,
    pub(crate) theirs: Origin,
    raw: MultiplexedConnection,
}

impl Pair {
    pub(crate) async fn new() -> Result<Self> {
        let server = Shared::get()?;
        let prefix = unique_prefix();
        let theirs = Origin::start(&server.url(), &prefix)?;
        let storage = Arc::new(patient(&server.url())?.prefix(&prefix).open().await?);
        let raw = raw(&server.url()).await?;
        let ours = FlagStore::new(storage.clone());
        Ok(Self { server, prefix, storage, ours, theirs, raw })
    }

    /// Where both are.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// A raw command; `P` at the beginning of a word stands for the prefix.
    pub(crate) async fn raw<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let mut cmd = redis::Cmd::new();
        for word in words {
            match word.strip_prefix("P ") {
                Some(rest) => cmd.arg(format!("{}{rest}", self.prefix)),
                None => cmd.arg(word),
            };
        }
        Ok(cmd.query_async(&mut self.raw.clone()).await?)
    }

    /// Every key under the prefix with what it holds, at one moment.
    pub(crate) async fn snapshot(&self) -> Result<BTreeMap<String, Vec<String>>> {
        snapshot(&self.raw, &self.prefix).await
    }

    /// Every key under the prefix.
    pub(crate) async fn keys(&self) -> Result<Vec<String>> {
        Ok(self.snapshot().await?.into_keys().collect())
    }

    /// Our listing, by key; an unreadable record fails the test.
    pub(crate) async fn listed(&self, query: Query) -> Result<BTreeMap<Key, Record>> {
        let items: Vec<_> = self.storage.list(query).collect().await;
        let records = items.into_iter().map(|item| item.map(|stored| (stored.record.key(), stored.record)));
        Ok(records.collect::<flags_core::Result<_>>()?)
    }

    pub(crate) async fn get(&self, key: &Key) -> flags_core::Result<Option<Stored>> {
        self.storage.get(std::slice::from_ref(key)).await?.pop().expect("one answer")
    }

    /// The server's clock, which decides about expiry.
    pub(crate) async fn now(&self) -> Result<Timestamp> {
        let (seconds, micros): (i64, i64) = self.raw(&["TIME"]).await?;
        Timestamp::from_unix_micros(seconds * 1_000_000 + micros).context("a time in range")
    }

    /// The origin writes the record, and says what it wrote.
    pub(crate) fn they_create(&mut self, record: &Record) -> Result<Record> {
        Ok(match record {
            Record::Flag(r) => self.theirs.write("create_flag", &**r)?.into(),
            Record::Override(r) => self.theirs.write("create_override", &**r)?.into(),
            Record::ScheduledChange(r) => self.theirs.write("create_scheduled_change", &**r)?.into(),
            Record::TimeSchedule(r) => self.theirs.write("create_time_schedule", &**r)?.into(),
            Record::RolloutPhase(r) => self.theirs.write("create_rollout_phase", &**r)?.into(),
            other => anyhow::bail!("the origin has no {}", other.kind()),
        })
    }

    /// We write the record, and say what we wrote.
    pub(crate) async fn we_create(&self, record: &Record) -> Result<Record> {
        Ok(match record.clone() {
            Record::Flag(r) => self.ours.create_flag((*r).clone()).await?.into_value().into(),
            Record::Override(r) => self.ours.create_override((*r).clone()).await?.into_value().into(),
            Record::ScheduledChange(r) => {
                self.ours.create_scheduled_change((*r).clone()).await?.into_value().into()
            }
            Record::TimeSchedule(r) => {
                self.ours.create_time_schedule((*r).clone()).await?.into_value().into()
            }
            Record::RolloutPhase(r) => {
                self.ours.create_rollout_phase((*r).clone()).await?.into_value().into()
            }
            other => anyhow::bail!("the origin has no {}", other.kind()),
        })
    }

    /// What the origin sees of a flag and what belongs to it; its overrides are those of `user` with these
    /// ids.
    pub(crate) fn they_see(&mut self, flag: &Flag, users: &[&str]) -> Result<BTreeMap<Key, Record>> {
        let (key, id) = (json!(flag.key), json!(flag.id));
        let theirs = &mut self.theirs;
        let mut seen: Vec<Record> = Vec::new();
        seen.extend(theirs.one::<Flag>("get_flag", &[key])?.map(Record::from));
        for user in users {
            let args = [id.clone(), json!("user"), json!(user)];
            seen.extend(theirs.one::<Override>("get_override", &args)?.map(Record::from));
        }
        let args = [id.clone(), json!(false)];
        let changes = theirs.all::<ScheduledChange>("get_scheduled_changes", &args)?;
        seen.extend(changes.into_iter().map(Record::from));
        let id = [id];
        let schedules = theirs.all::<TimeSchedule>("get_time_schedules", &id)?;
        seen.extend(schedules.into_iter().map(Record::from));
        let phases = theirs.all::<RolloutPhase>("get_rollout_phases", &id)?;
        seen.extend(phases.into_iter().map(Record::from));
        Ok(by_key(seen))
    }

    /// What we see of the same, by listing.
    pub(crate) async fn we_see(&self, flag: &Flag) -> Result<BTreeMap<Key, Record>> {
        let mut seen = self.listed(Query::All(Kind::Flag)).await?;
        seen.retain(|key, _| *key == Key::Flag(flag.key.clone()));
        for kind in Kind::OWNED {
            let owned = self.listed(Query::Owned(kind, flag.id)).await?;
            let mut all = self.listed(Query::All(kind)).await?;
            all.retain(|_, record| record.owner() == Some(flag.id));
            assert_eq!(owned, all, "both listings of {kind}");
            seen.extend(owned);
        }
        Ok(seen)
    }
}

/// What an exception of the origin was, or the call's other outcome as a failure of the test.
pub(crate) fn raised(outcome: Result<Value>) -> Result<String> {
    match outcome {
        Ok(answer) => anyhow::bail!("it answered {answer}"),
        Err(error) => Ok(error.downcast::<Raised>()?.class),
    }
}

/// Every key under the prefix with what it holds, sorted, at one moment.
pub(crate) async fn snapshot(
    raw: &MultiplexedConnection,
    prefix: &str,
) -> Result<BTreeMap<String, Vec<String>>> {
    const SCRIPT: &str = r"
        local read = {
            string = function(key) return {redis.call('GET', key)} end,
            set = function(key) return redis.call('SMEMBERS', key) end,
            zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
            hash = function(key) return redis.call('HGETALL', key) end,
        }
        local found = {}
        for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
            found[#found + 1] = {key, read[redis.call('TYPE', key).ok](key)}
        end
        return found";
    let mut cmd = redis::cmd("EVAL");
    let found: Vec<(String, Vec<String>)> =
        cmd.arg(SCRIPT).arg(0).arg(prefix).query_async(&mut raw.clone()).await?;
    Ok(found
        .into_iter()
        .map(|(key, mut held)| {
            held.sort();
            (key[prefix.len()..].to_owned(), held)
        })
        .collect())
}

/// The same records, as JSON: either library writes the same value in its own way, with other white space and
/// escapes.
#[track_caller]
pub(crate) fn assert_same(left: &BTreeMap<Key, Record>, right: &BTreeMap<Key, Record>, what: &str) {
    let json = |record: &Record| -> Value {
        serde_json::from_slice(&record.encode().expect("a record encodes")).expect("a record is JSON")
    };
    for (key, record) in left {
        match right.get(key) {
            Some(other) => assert_eq!(json(record), json(other), "{what}: {key}"),
            None => panic!("{what}: only on the left: {key}"),
        }
    }
    if let Some(key) = right.keys().find(|key| !left.contains_key(key)) {
        panic!("{what}: only on the right: {key}");
    }
}

pub(crate) fn by_key(records: impl IntoIterator<Item = Record>) -> BTreeMap<Key, Record> {
    records.into_iter().map(|record| (record.key(), record)).collect()
}

pub(crate) fn flag_key(key: &str) -> FlagKey {
    FlagKey::new(key).expect("a flag key")
}

pub(crate) fn flag(key: &str) -> Flag {
    Flag::new(flag_key(key))
}

pub(crate) fn names(entity_type: &str, entity: &str) -> (EntityType, EntityId) {
    (EntityType::new(entity_type).expect("an entity type"), EntityId::new(entity).expect("an entity id"))
}

pub(crate) fn user(owner: FlagId, entity: &str) -> Override {
    let (entity_type, entity_id) = names("user", entity);
    Override::new(owner, entity_type, entity_id, true)
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

pub(crate) fn change(owner: FlagId) -> ScheduledChange {
    ScheduledChange::new(owner, ChangeType::UpdateRollout, at("2031-05-01T10:00:00.000001+00:00"))
}

pub(crate) fn schedule(owner: FlagId, name: &str) -> TimeSchedule {
    TimeSchedule::new(owner, name, "22:00".parse().expect("a time"), "06:30:15".parse().expect("a time"))
}

pub(crate) fn phase(owner: FlagId, number: i64) -> RolloutPhase {
    RolloutPhase::new(owner, number, number * 10, at("2031-05-01T10:00:00+00:00"))
}

/// The entities whose overrides are in a [`family`].
pub(crate) const USERS: [&str; 2] = ["u-1", "ü:2*"];

/// A flag with everything that can belong to one, all members set; the flag is the first.
pub(crate) fn family(key: &str) -> Vec<Record> {
    let mut flag = flag(key);
    flag.description = Some("naïve \"text\"\n☃".to_owned());
    flag.flag_type = FlagType::Json;
    flag.default_value = Some(json!({"a": [1, 2.5, null, "é"]}).into());
    flag.tags = vec!["one".to_owned(), "two".to_owned()];
    flag.metadata = json!({"team": "checkout"}).into();
    let mut rule = Rule::new("beta").when(Condition::new("country", "in", ["NL", "BE"]));
    rule.rollout_percentage = Some(30);
    rule.serve_value = Some(json!([true]).into());
    flag.rules = vec![rule, Rule::new("rest")];
    flag.variants =
        vec![Variant::new("a", json!({"x": 1}).into(), 50), Variant::new("b", json!(null).into(), 50)];
    let id = flag.id;

    let mut first = user(id, USERS[0]);
    first.value = Some(json!("sérénité").into());
    let second = user(id, USERS[1]);
    let mut done = change(id);
    done.new_rollout_percentage = Some(40);
    done.created_by = Some("ops".to_owned());
    done.executed = true;
    done.executed_at = Some(at("2031-05-01T10:00:01+00:00"));
    let mut weekly = schedule(id, "nights");
    weekly.days_of_week = Some(vec![0, 6]);
    weekly.timezone = "Europe/Amsterdam".to_owned();
    vec![
        flag.into(),
        first.into(),
        second.into(),
        change(id).into(),
        done.into(),
        weekly.into(),
        schedule(id, "always").into(),
        phase(id, 1).into(),
        phase(id, 2).into(),
    ]
}

/// The flag of a family.
pub(crate) fn head(family: &[Record]) -> Flag {
    match &family[0] {
        Record::Flag(flag) => (**flag).clone(),
        other => panic!("a family begins with its flag, not with a {}", other.kind()),
    }
}
