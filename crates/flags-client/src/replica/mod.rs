//! [`Replica`]: what the client knows of the store, and the rules compiled from it.

mod edit;
mod found;
mod records;
mod touched;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use flags_core::{Error, FlagId, FlagKey, Key, Kind, Record, TimeSchedule, TimeScheduleId, Timestamp};
use flags_engine::{Ruleset, Semantics};

use edit::Edit;
pub(crate) use found::{Found, Listed, Unsure};
pub(crate) use records::Records;
pub(crate) use touched::Touched;

/// Expired overrides are kept a little longer than they count: clocks are set back.
const GRACE: Duration = Duration::from_secs(300);

/// The records of the store as far as the client needs them. Owned by one task, which publishes its rules.
#[derive(Debug)]
pub(crate) struct Replica {
    records: Records,
    flag_keys: HashMap<FlagId, FlagKey>,
    /// In the order in which the rules try them.
    schedules: HashMap<FlagId, BTreeMap<(String, TimeScheduleId), Arc<TimeSchedule>>>,
    /// Overrides that expire, the next one first.
    expiring: BTreeSet<(Timestamp, Key)>,
    /// The latest expiry of those that were dropped since everything was listed.
    dropped_to: Option<Timestamp>,
    unreadable: BTreeMap<Key, Arc<Error>>,
    /// As the last listing had them.
    nameless: Vec<Arc<Error>>,
    ruleset: Arc<Ruleset>,
}

impl Replica {
    pub(crate) fn new(semantics: Semantics) -> Self {
        Self {
            records: Records::default(),
            flag_keys: HashMap::new(),
            schedules: HashMap::new(),
            expiring: BTreeSet::new(),
            dropped_to: None,
            unreadable: BTreeMap::new(),
            nameless: Vec::new(),
            ruleset: Arc::new(Ruleset::builder(semantics).build()),
        }
    }

    pub(crate) fn ruleset(&self) -> &Arc<Ruleset> {
        &self.ruleset
    }

    pub(crate) fn unreadable(&self) -> impl Iterator<Item = &Arc<Error>> {
        self.unreadable.values().chain(&self.nameless)
    }

    /// Whether it holds a flag.
    pub(crate) fn has_flags(&self) -> bool {
        !self.ruleset.is_empty()
    }

    /// How many records it holds.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Every record, each costing a pointer.
    pub(crate) fn to_vec(&self) -> Vec<Record> {
        self.records.iter().cloned().collect()
    }

    /// Whether it holds a record under that key that counts.
    pub(crate) fn is_in_force(&self, key: &Key, now: Timestamp) -> bool {
        self.records.get(key).is_some_and(|record| !record.is_expired(now))
    }

    /// The flag that the override under that key belongs to.
    pub(crate) fn owner_of(&self, key: &Key) -> Option<&FlagKey> {
        match key {
            Key::Override(id, ..) => self.flag_keys.get(id),
            _ => None,
        }
    }

    /// When there is an expired override to drop.
    pub(crate) fn sweeps_at(&self) -> Option<Timestamp> {
        self.expiring.first().map(|(at, _)| at.saturating_add(GRACE))
    }

    /// How many overrides are to be dropped, counted no further than `most`.
    pub(crate) fn expired(&self, now: Timestamp, most: usize) -> usize {
        let long_ago = now.saturating_sub(GRACE);
        self.expiring.iter().take_while(|(at, _)| *at <= long_ago).take(most).count()
    }

    /// Whether overrides were dropped because they had expired.
    pub(crate) fn has_dropped(&self) -> bool {
        self.dropped_to.is_some()
    }

    /// Whether one of them has not: the clock that said so was wrong.
    pub(crate) fn lacks_overrides(&self, now: Timestamp) -> bool {
        self.dropped_to.is_some_and(|expiry| expiry > now)
    }

    /// Makes it what was listed, as far as that is sure. Tells what that touched.
    pub(crate) fn take_over(&mut self, mut listed: Listed, unsure: &Unsure, now: Timestamp) -> Touched {
        let nameless = std::mem::replace(&mut self.nameless, std::mem::take(&mut listed.nameless));
        let found = self.differences(listed, unsure);
        self.dropped_to = None;
        let mut touched = self.apply(found, now);
        touched.unreadable |= !(nameless.is_empty() && self.nameless.is_empty());
        touched
    }

    /// What applying a whole store amounts to. What is known of the keys of which it is not sure,
    /// or that nothing is, stays.
    fn differences(&self, listed: Listed, unsure: &Unsure) -> Vec<Found> {
        let stays = |key: &Key| unsure.keys.contains(key);
        let mut found = Vec::new();
        for record in self.records.iter() {
            let key = record.key();
            let listed = listed.records.get(&key).is_some() || listed.unreadable.contains_key(&key);
            if !listed && !unsure.absences && !stays(&key) {
                found.push(Found::Nothing(key));
            }
        }
        let known_to_be_bad = self.unreadable.keys().filter(|key| !listed.unreadable.contains_key(*key));
        found.extend(
            known_to_be_bad
                .filter(|key| self.records.get(key).is_none() && !stays(key))
                .cloned()
                .map(Found::Nothing),
        );
        for record in listed.records.iter() {
            let key = record.key();
            let is_news = self.records.get(&key) != Some(record) || self.unreadable.contains_key(&key);
            if is_news && !stays(&key) {
                found.push(Found::Record(record.clone()));
            }
        }
        let unreadable = listed.unreadable.into_iter().filter(|(key, _)| !stays(key));
        found.extend(unreadable.map(|(key, error)| Found::Unreadable(key, error)));
        found
    }

    /// Takes in what was found, compiling no more than what differs. Tells what that touched.
    ///
    /// A record that cannot be read leaves its last readable state in force: half a store is better than none
    /// of it.
    pub(crate) fn apply(&mut self, found: Vec<Found>, now: Timestamp) -> Touched {
        let mut touched = Touched::default();
        if found.is_empty() && !self.has_expired(now) {
            return touched;
        }
        let mut edit = Edit::of(&self.ruleset);
        for one in found {
            match one {
                Found::Record(record) => {
                    touched.unreadable |= self.unreadable.remove(&record.key()).is_some();
                    if self.records.get(&record.key()) != Some(&record) {
                        self.put(record, &mut edit, &mut touched);
                    }
                }
                Found::Nothing(key) => {
                    touched.unreadable |= self.unreadable.remove(&key).is_some();
                    self.remove(&key, &mut edit, &mut touched);
                }
                Found::Unreadable(key, error) => {
                    touched.unreadable = true;
                    self.unreadable.insert(key, Arc::new(error));
                }
            }
        }
        self.sweep(now, &mut edit);
        self.reorder(&mut edit);
        if let Some(ruleset) = edit.finish() {
            self.ruleset = Arc::new(ruleset);
        }
        touched
    }

    /// Drops overrides that expired a while ago. Decisions tell by the instant, and do not wait for this.
    fn sweep(&mut self, now: Timestamp, edit: &mut Edit) {
        while self.has_expired(now)
            && let Some((expiry, key)) = self.expiring.pop_first()
        {
            self.dropped_to = self.dropped_to.max(Some(expiry));
            // Expiry is no change: whoever listens knew of it.
            self.remove(&key, edit, &mut Touched::default());
        }
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.expiring.first().is_some_and(|(at, _)| *at <= now.saturating_sub(GRACE))
    }

    /// The kinds that it holds.
    pub(crate) fn kinds(overrides: bool) -> impl Iterator<Item = Kind> {
        // Flags last: what belongs to a flag that is created meanwhile is then never without it.
        let kinds = [Kind::Override, Kind::TimeSchedule, Kind::Segment, Kind::Flag];
        kinds.into_iter().filter(move |kind| overrides || *kind != Kind::Override)
    }
}
