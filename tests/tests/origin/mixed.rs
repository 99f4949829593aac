//! A few hundred random operations of both libraries on one store, against a model of what should be there.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use flags_core::storage::Query;
use flags_core::{ErrorKind, Flag, Key, Kind, Override, Record, RolloutPhase, ScheduledChange, TimeSchedule};
use serde_json::json;

use crate::common::{Pair, assert_same, by_key, change, flag, phase, schedule, user};

const STEPS: usize = 600;
const CHECKPOINT: usize = 40;
const FLAGS: usize = 5;
const USERS: [&str; 3] = ["u", "v:w", "ü"];
/// Of each kind that has ids, for each flag.
const IDS: usize = 2;

struct Run {
    p: Pair,
    random: fastrand::Rng,
    /// One flag for each key, so that a key keeps its id when it comes back.
    flags: Vec<Flag>,
    /// What may belong to them, in the same way.
    owned: Vec<Record>,
    model: BTreeMap<Key, Record>,
    outcomes: BTreeMap<&'static str, usize>,
}

#[tokio::test]
async fn both_see_what_either_did() -> Result<()> {
    let seed = match std::env::var("FLAGS_TEST_SEED") {
        Ok(seed) => seed.parse().context("FLAGS_TEST_SEED is a number")?,
        Err(_) => fastrand::u64(..),
    };
    println!("to repeat it: FLAGS_TEST_SEED={seed}");
    let mut run = Run::new(seed).await?;
    for step in 1..=STEPS {
        run.step().await.with_context(|| format!("step {step}, seed {seed}"))?;
        if step % CHECKPOINT == 0 {
            run.compare().await.with_context(|| format!("after step {step}, seed {seed}"))?;
        }
    }
    println!("{:?}", run.outcomes);
    Ok(())
}

impl Run {
    async fn new(seed: u64) -> Result<Self> {
        let flags: Vec<Flag> = (0..FLAGS).map(|n| flag(&format!("flag:{n}"))).collect();
        let mut owned = Vec::new();
        for flag in &flags {
            owned.extend(USERS.map(|entity| Record::from(user(flag.id, entity))));
            for n in 0..IDS {
                owned.push(change(flag.id).into());
                owned.push(schedule(flag.id, &format!("window {n}")).into());
                owned.push(phase(flag.id, n as i64).into());
            }
        }
        let (model, outcomes) = (BTreeMap::new(), BTreeMap::new());
        let random = fastrand::Rng::with_seed(seed);
        Ok(Self { p: Pair::new().await?, random, flags, owned, model, outcomes })
    }

    /// One write, by one of the two, to a record that may be there or not.
    async fn step(&mut self) -> Result<()> {
        let record = if self.random.u8(..3) == 0 {
            let flag = self.random.usize(..FLAGS);
            Record::from(self.flags[flag].clone())
        } else {
            let owned = self.random.usize(..self.owned.len());
            self.owned[owned].clone()
        };
        let record = self.edited(record);
        let (we, there) = (self.random.bool(), self.model.contains_key(&record.key()));
        let delete = self.random.u8(..3) == 0;
        let outcome = match (we, delete) {
            (true, true) => self.we_delete(&record, there).await,
            (true, false) => self.we_put(record, there).await,
            (false, true) => self.they_delete(&record, there),
            (false, false) => self.they_put(&record, there),
        };
        *self.outcomes.entry(outcome?).or_default() += 1;
        Ok(())
    }

    /// The record with something in it that no other write had.
    fn edited(&mut self, record: Record) -> Record {
        let number = self.random.u32(..);
        match record {
            Record::Flag(r) => {
                let mut r = (*r).clone();
                r.metadata = json!(number).into();
                r.default_enabled = self.random.bool();
                r.into()
            }
            Record::Override(r) => {
                let mut r = (*r).clone();
                r.value = Some(json!(number).into());
                r.into()
            }
            Record::ScheduledChange(r) => {
                let mut r = (*r).clone();
                r.created_by = Some(number.to_string());
                r.executed = self.random.bool();
                r.into()
            }
            Record::TimeSchedule(r) => {
                let mut r = (*r).clone();
                r.name = number.to_string();
                r.into()
            }
            Record::RolloutPhase(r) => {
                let mut r = (*r).clone();
                r.target_percentage = i64::from(number % 101);
                r.into()
            }
            other => other,
        }
    }

    fn has_owner(&self, record: &Record) -> bool {
        let has = |id| self.model.values().any(|r| matches!(r, Record::Flag(flag) if flag.id == id));
        record.owner().is_none_or(has)
    }

    fn remember(&mut self, record: Record) {
        self.model.insert(record.key(), record);
    }

    /// Creates what is not there, updates what is; what has no owner is refused where it is made, not where
    /// it is updated (C6).
    async fn we_put(&mut self, record: Record, there: bool) -> Result<&'static str> {
        let ours = &self.p.ours;
        // Overrides have no update: they are put, whether there or not.
        let updated = there && !matches!(record, Record::Override(_));
        let allowed = updated || self.has_owner(&record);
        let written = match (there, record.clone()) {
            (true, Record::Flag(r)) => {
                ours.update_flag((*r).clone(), None).await.map(|v| v.into_value().into())
            }
            (true, Record::ScheduledChange(r)) => {
                ours.update_scheduled_change((*r).clone(), None).await.map(|v| v.into_value().into())
            }
            (true, Record::TimeSchedule(r)) => {
                ours.update_time_schedule((*r).clone(), None).await.map(|v| v.into_value().into())
            }
            (true, Record::RolloutPhase(r)) => {
                ours.update_rollout_phase((*r).clone(), None).await.map(|v| v.into_value().into())
            }
            _ => match self.p.we_create(&record).await {
                Ok(record) => Ok(record),
                Err(error) => Err(error.downcast::<flags_core::Error>()?),
            },
        };
        match written {
            Ok(written) => {
                anyhow::ensure!(allowed, "{} has no owner, and was written", record.key());
                self.remember(written);
                Ok("we put")
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !allowed => Ok("we were refused"),
            Err(error) => Err(error.into()),
        }
    }

    fn they_put(&mut self, record: &Record, there: bool) -> Result<&'static str> {
        let written = match record {
            Record::Flag(r) if there => self.p.theirs.write("update_flag", &**r)?.into(),
            Record::ScheduledChange(r) if there => {
                self.p.theirs.write("update_scheduled_change", &**r)?.into()
            }
            // It has no other updates, and nothing stops it from creating twice.
            other => self.p.they_create(other)?,
        };
        self.remember(written);
        Ok("they put")
    }

    /// Of a flag, with all that it owns.
    async fn we_delete(&mut self, record: &Record, there: bool) -> Result<&'static str> {
        let ours = &self.p.ours;
        let deleted = match record {
            Record::Flag(r) => ours.delete_flag(&r.key, None).await?,
            Record::Override(r) => {
                ours.delete_override(r.flag_id, &r.entity_type, &r.entity_id, None).await?
            }
            Record::ScheduledChange(r) => ours.delete_scheduled_change(r.id, None).await?,
            Record::TimeSchedule(r) => ours.delete_time_schedule(r.id, None).await?,
            Record::RolloutPhase(r) => ours.delete_rollout_phase(r.id, None).await?,
            other => anyhow::bail!("the origin has no {}", other.kind()),
        };
        anyhow::ensure!(deleted == there, "we deleted {}: {deleted}", record.key());
        self.model.remove(&record.key());
        if let (Record::Flag(flag), true) = (record, deleted) {
            self.model.retain(|_, owned| owned.owner() != Some(flag.id));
        }
        Ok("we delete")
    }

    /// Of a flag, without what it owns.
    fn they_delete(&mut self, record: &Record, there: bool) -> Result<&'static str> {
        let theirs = &mut self.p.theirs;
        let deleted = match record {
            Record::Flag(r) => theirs.ask("delete_flag", &[json!(r.key)])?,
            Record::Override(r) => theirs
                .ask("delete_override", &[json!(r.flag_id), json!(r.entity_type), json!(r.entity_id)])?,
            Record::TimeSchedule(r) => theirs.ask("delete_time_schedule", &[json!(r.id)])?,
            // It cannot.
            _ => return Ok("nobody"),
        };
        anyhow::ensure!(deleted == there, "they deleted {}: {deleted}", record.key());
        self.model.remove(&record.key());
        Ok("they delete")
    }

    /// The model, our view and theirs are the same. What lost its flag stays where it was, and is seen by
    /// both.
    async fn compare(&mut self) -> Result<()> {
        let mut ours = BTreeMap::new();
        for kind in [Kind::Flag].into_iter().chain(Kind::OWNED) {
            ours.extend(self.p.listed(Query::All(kind)).await?);
        }
        // Phases of a flag that is gone are found through the index of the flag, which no listing of all
        // looks for.
        for flag in &self.flags {
            for kind in Kind::OWNED {
                ours.extend(self.p.listed(Query::Owned(kind, flag.id)).await?);
            }
        }
        assert_same(&ours, &self.model, "our view and the model");

        let theirs = &mut self.p.theirs;
        let keys: Vec<_> = self.flags.iter().map(|flag| &flag.key).collect();
        let mut seen: Vec<Record> = Vec::new();
        let listed = theirs.all::<Flag>("get_all_active_flags", &[])?;
        assert_eq!(theirs.all::<Flag>("get_flags", &[json!(keys)])?.len(), listed.len());
        seen.extend(listed.into_iter().map(Record::from));
        let all = [json!(null), json!(false)];
        seen.extend(
            theirs.all::<ScheduledChange>("get_scheduled_changes", &all)?.into_iter().map(Record::from),
        );
        seen.extend(
            theirs.all::<TimeSchedule>("get_time_schedules", &all[..1])?.into_iter().map(Record::from),
        );
        for flag in &self.flags {
            let id = json!(flag.id);
            let phases = theirs.all::<RolloutPhase>("get_rollout_phases", std::slice::from_ref(&id))?;
            seen.extend(phases.into_iter().map(Record::from));
            for entity in USERS {
                let args = [id.clone(), json!("user"), json!(entity)];
                seen.extend(theirs.one::<Override>("get_override", &args)?.map(Record::from));
            }
        }
        assert_same(&by_key(seen), &self.model, "their view and the model");
        Ok(())
    }
}
