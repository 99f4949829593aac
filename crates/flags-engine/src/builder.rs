//! [`RulesetBuilder`]: records in, a ruleset out.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use flags_core::{Flag, FlagId, FlagKey, Override, Segment, SegmentId, TimeSchedule, TimeScheduleId};

use crate::flag::CompiledFlag;
use crate::hash_trie::HashTrie;
use crate::owned::{Owned, Owner};
use crate::ruleset::{Entry, Ruleset};
use crate::schedule::CompiledSchedule;
use crate::segment::{CompiledSegment, Segments};
use crate::semantics::Semantics;

/// Makes a [`Ruleset`]. A record that is put again replaces the earlier one.
#[derive(Debug, Clone)]
pub struct RulesetBuilder {
    ruleset: Ruleset,
    /// The flags whose overrides or schedules changed: their entries do not show it yet.
    changed: HashSet<FlagId>,
    /// All of them, once one changed.
    segments: Option<BTreeMap<SegmentId, Arc<CompiledSegment>>>,
}

impl From<Ruleset> for RulesetBuilder {
    /// A change of that ruleset, as [`Ruleset::edit`] makes it.
    fn from(ruleset: Ruleset) -> Self {
        Self { ruleset, changed: HashSet::new(), segments: None }
    }
}

impl RulesetBuilder {
    pub(crate) fn new(semantics: Semantics) -> Self {
        Self::from(Ruleset {
            semantics,
            flags: HashTrie::default(),
            owners: HashTrie::default(),
            segments: Arc::default(),
        })
    }

    /// Compiles a flag. One that is there already, the very same, is left as it is.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<Arc<Flag>>) -> Self {
        let (flag, ruleset) = (flag.into(), &mut self.ruleset);
        let known = ruleset.flag(flag.key.as_str());
        if known.is_some_and(|known| Arc::ptr_eq(known, &flag)) {
            return self;
        }
        let compiled = Arc::new(CompiledFlag::new(Arc::clone(&flag), ruleset.semantics));
        let replaced = ruleset.flags.insert(Entry::new(compiled, Owned::default()));
        match replaced.map(|entry| entry.flag.record.id) {
            Some(id) if id == flag.id => {}
            id => {
                id.into_iter().for_each(|id| self.disown(id, &flag.key));
                self.own(flag.id, |owner| owner.keys.push(flag.key.clone()));
            }
        }
        self.changed.insert(flag.id);
        self
    }

    /// Removes a flag; its overrides and schedules count for nothing without it.
    #[must_use]
    pub fn remove_flag(mut self, key: &FlagKey) -> Self {
        if let Some(removed) = self.ruleset.flags.remove(key.as_str()) {
            self.disown(removed.flag.record.id, key);
        }
        self
    }

    /// Puts an override, of a flag that is there or that comes later.
    #[must_use]
    pub fn flag_override(mut self, record: impl Into<Arc<Override>>) -> Self {
        let record = record.into();
        self.own(record.flag_id, |owner| owner.owned.put_override(record));
        self
    }

    /// Removes an override.
    #[must_use]
    pub fn remove_override(mut self, flag_id: FlagId, entity_type: &str, entity_id: &str) -> Self {
        self.own(flag_id, |owner| owner.owned.remove_override(entity_type, entity_id));
        self
    }

    /// Puts a time schedule. Those of a flag are tried in the order in which they were put.
    #[must_use]
    pub fn time_schedule(mut self, record: impl Into<Arc<TimeSchedule>>) -> Self {
        let schedule = Arc::new(CompiledSchedule::new(record.into(), self.ruleset.semantics));
        self.own(schedule.record().flag_id, |owner| owner.owned.put_schedule(schedule));
        self
    }

    /// Removes a time schedule.
    #[must_use]
    pub fn remove_time_schedule(mut self, flag_id: FlagId, id: TimeScheduleId) -> Self {
        self.own(flag_id, |owner| owner.owned.remove_schedule(id));
        self
    }

    /// Compiles a segment. One that is there already, the very same, is left as it is.
    ///
    /// [`build`](Self::build) then follows the parents of all of them anew: some milliseconds for ten
    /// thousand, however many of them changed.
    #[must_use]
    pub fn segment(mut self, segment: impl Into<Arc<Segment>>) -> Self {
        let (segment, semantics) = (segment.into(), self.ruleset.semantics);
        let segments = self.segments();
        if !segments.get(&segment.id).is_some_and(|known| known.is_of(&segment)) {
            segments.insert(segment.id, Arc::new(CompiledSegment::new(segment, semantics)));
        }
        self
    }

    /// Removes a segment; conditions on it find none.
    #[must_use]
    pub fn remove_segment(mut self, id: SegmentId) -> Self {
        self.segments().remove(&id);
        self
    }

    /// The set.
    #[must_use]
    pub fn build(self) -> Ruleset {
        let Self { mut ruleset, changed, segments } = self;
        for id in changed {
            let Some(owner) = ruleset.owners.get(&id) else { continue };
            for key in &owner.keys {
                if let Some(entry) = ruleset.flags.get(key.as_str()) {
                    let entry = Entry::new(Arc::clone(&entry.flag), owner.owned.clone());
                    ruleset.flags.insert(entry);
                }
            }
        }
        if let Some(segments) = segments {
            ruleset.segments = Arc::new(Segments::new(segments.into_values()));
        }
        ruleset
    }

    /// Changes what a flag owns.
    fn own(&mut self, id: FlagId, change: impl FnOnce(&mut Owner)) {
        // Taken out, so that what nobody else holds is changed in its place.
        let mut owner = self.ruleset.owners.remove(&id).unwrap_or_else(|| Owner::new(id));
        change(&mut owner);
        if !owner.is_idle() {
            self.ruleset.owners.insert(owner);
        }
        self.changed.insert(id);
    }

    fn disown(&mut self, id: FlagId, key: &FlagKey) {
        self.own(id, |owner| owner.keys.retain(|known| known != key));
    }

    fn segments(&mut self) -> &mut BTreeMap<SegmentId, Arc<CompiledSegment>> {
        let known = &self.ruleset.segments;
        self.segments
            .get_or_insert_with(|| known.compiled().map(|each| (each.id(), Arc::clone(each))).collect())
    }
}
