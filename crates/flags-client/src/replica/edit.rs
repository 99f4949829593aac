//! [`Edit`]: the rules change with the records.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use flags_core::{FlagId, Key, Record};
use flags_engine::{Ruleset, RulesetBuilder};

use super::{Replica, Touched};

/// The next rules, in the making.
pub(super) struct Edit {
    /// Always there between calls; the builder's methods take it.
    builder: Option<RulesetBuilder>,
    changed: bool,
    /// The flags whose schedules are others now.
    reorder: HashSet<FlagId>,
}

impl Edit {
    pub(super) fn of(ruleset: &Ruleset) -> Self {
        Self { builder: Some(ruleset.edit()), changed: false, reorder: HashSet::new() }
    }

    /// The next rules, if they are others.
    pub(super) fn finish(self) -> Option<Ruleset> {
        self.builder.filter(|_| self.changed).map(RulesetBuilder::build)
    }

    fn with(&mut self, change: impl FnOnce(RulesetBuilder) -> RulesetBuilder) {
        self.builder = self.builder.take().map(change);
        self.changed = true;
    }
}

impl Replica {
    pub(super) fn put(&mut self, record: Record, edit: &mut Edit, touched: &mut Touched) {
        let before = self.records.put(record.clone());
        // Asked before the one that it replaces is forgotten: an edit makes no new flag.
        if let Record::Flag(flag) = &record
            && !self.flag_keys.contains_key(&flag.id)
        {
            touched.new_flags.push(flag.id);
        }
        if let Some(before) = before {
            self.forget(&before, edit, touched);
        }
        match record {
            Record::Flag(flag) => {
                self.flag_keys.insert(flag.id, flag.key.clone());
                touched.flag(&flag.key);
                edit.with(|builder| builder.flag(flag));
            }
            Record::Override(record) => {
                if let Some(at) = record.expires_at {
                    let key = Record::Override(Arc::clone(&record)).key();
                    self.expiring.insert((at, key));
                }
                touched.owner(&self.flag_keys, record.flag_id);
                edit.with(|builder| builder.flag_override(record));
            }
            Record::TimeSchedule(schedule) => {
                touched.owner(&self.flag_keys, schedule.flag_id);
                edit.reorder.insert(schedule.flag_id);
                let place = (schedule.name.clone(), schedule.id);
                self.schedules.entry(schedule.flag_id).or_default().insert(place, schedule);
            }
            Record::Segment(segment) => {
                touched.segments = true;
                edit.with(|builder| builder.segment(segment));
            }
            _ => {}
        }
    }

    pub(super) fn remove(&mut self, key: &Key, edit: &mut Edit, touched: &mut Touched) {
        let Some(before) = self.records.remove(key) else { return };
        self.forget(&before, edit, touched);
        match &before {
            Record::Flag(flag) => edit.with(|builder| builder.remove_flag(&flag.key)),
            Record::Override(record) => edit.with(|builder| {
                builder.remove_override(
                    record.flag_id,
                    record.entity_type.as_str(),
                    record.entity_id.as_str(),
                )
            }),
            Record::Segment(segment) => edit.with(|builder| builder.remove_segment(segment.id)),
            _ => {}
        }
    }

    /// Takes a record that is replaced or gone out of the indexes.
    fn forget(&mut self, before: &Record, edit: &mut Edit, touched: &mut Touched) {
        match before {
            Record::Flag(flag) => {
                touched.flag(&flag.key);
                // Of two flags that a foreign writer gave one id, the other may hold it.
                if self.flag_keys.get(&flag.id) == Some(&flag.key) {
                    self.flag_keys.remove(&flag.id);
                }
            }
            Record::Override(record) => {
                touched.owner(&self.flag_keys, record.flag_id);
                if let Some(at) = record.expires_at {
                    self.expiring.remove(&(at, before.key()));
                }
            }
            Record::TimeSchedule(schedule) => {
                touched.owner(&self.flag_keys, schedule.flag_id);
                edit.with(|builder| builder.remove_time_schedule(schedule.flag_id, schedule.id));
                if let Some(of_flag) = self.schedules.get_mut(&schedule.flag_id) {
                    of_flag.remove(&(schedule.name.clone(), schedule.id));
                    if of_flag.is_empty() {
                        self.schedules.remove(&schedule.flag_id);
                    }
                }
            }
            Record::Segment(_) => touched.segments = true,
            _ => {}
        }
    }

    /// Puts the schedules of each flag that has other ones now by name, then id, as a listing has
    /// them.
    pub(super) fn reorder(&mut self, edit: &mut Edit) {
        for flag_id in std::mem::take(&mut edit.reorder) {
            let of_flag = self.schedules.get(&flag_id);
            for schedule in of_flag.into_iter().flat_map(BTreeMap::values) {
                edit.with(|builder| builder.remove_time_schedule(flag_id, schedule.id));
            }
            for schedule in of_flag.into_iter().flat_map(BTreeMap::values) {
                edit.with(|builder| builder.time_schedule(Arc::clone(schedule)));
            }
        }
    }
}
