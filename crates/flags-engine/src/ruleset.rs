//! [`Ruleset`]: a compiled set of flags.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flags_core::{
    Flag, FlagId, FlagKey, Override, Segment, SegmentId, TimeSchedule, TimeScheduleId, Timestamp,
};

use crate::context::EvaluationContext;
use crate::diagnostic::{Diagnostic, Report, Subject};
use crate::evaluator::Evaluator;
use crate::flag::CompiledFlag;
use crate::overrides::Overrides;
use crate::schedule::CompiledSchedule;
use crate::segment::{CompiledSegment, Segments};
use crate::semantics::Semantics;

/// Flags with their overrides, time schedules and segments, compiled and immutable.
///
/// Whoever shares it shares an `Arc` of it. [`edit`](Self::edit) makes the next one, in which everything that did not
/// change is the same compiled object.
///
/// # Examples
///
/// ```
/// use flags_core::{Condition, Flag, FlagKey, Rule, Timestamp};
/// use flags_engine::{EvaluationContext, Reason, Ruleset, Semantics};
///
/// let mut flag = Flag::new(FlagKey::new("new-checkout")?);
/// flag.rules.push(Rule::new("benelux").when(Condition::new("country", "in", ["NL", "BE", "LU"])));
/// let ruleset = Ruleset::builder(Semantics::Compat).flag(flag).build();
///
/// let ann = EvaluationContext::builder().targeting_key("ann").country("NL").build();
/// let details = ruleset.evaluator(&ann, Timestamp::UNIX_EPOCH).boolean("new-checkout", false);
/// assert!(details.value);
/// assert_eq!((details.reason, details.variant), (Reason::TargetingMatch, Some("benelux")));
/// # Ok::<(), flags_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Ruleset {
    parts: Parts,
    entries: HashMap<FlagKey, Entry>,
    segments: Segments,
}

/// A flag with what belongs to it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) flag: Arc<CompiledFlag>,
    pub(crate) overrides: Arc<Overrides>,
    pub(crate) schedules: Arc<Vec<Arc<CompiledSchedule>>>,
}

/// What a ruleset is made of, each part compiled by itself.
#[derive(Debug, Clone, Default)]
struct Parts {
    semantics: Semantics,
    flags: HashMap<FlagKey, Arc<CompiledFlag>>,
    overrides: HashMap<FlagId, Arc<Overrides>>,
    schedules: HashMap<FlagId, Arc<Vec<Arc<CompiledSchedule>>>>,
    segments: BTreeMap<SegmentId, Arc<CompiledSegment>>,
}

impl Ruleset {
    /// An empty set, to be filled.
    #[must_use]
    pub fn builder(semantics: Semantics) -> RulesetBuilder {
        RulesetBuilder { parts: Parts { semantics, ..Parts::default() } }
    }

    /// A copy to be changed. What does not change is not compiled again.
    #[must_use]
    pub fn edit(&self) -> RulesetBuilder {
        RulesetBuilder { parts: self.parts.clone() }
    }

    /// What decides for a context at an instant.
    #[must_use]
    pub fn evaluator<'r, 'c>(&'r self, context: &'c EvaluationContext, at: Timestamp) -> Evaluator<'r, 'c> {
        Evaluator::new(self, context, at)
    }

    /// The semantics that it was compiled for.
    #[must_use]
    pub fn semantics(&self) -> Semantics {
        self.parts.semantics
    }

    /// How many flags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The flags, in no order.
    pub fn flags(&self) -> impl Iterator<Item = &Arc<Flag>> {
        self.entries.values().map(|entry| &entry.flag.record)
    }

    /// What could not be compiled, or does not mean what it seems to, ordered by what it is about.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all: Vec<Diagnostic> = self.entries.values().flat_map(|entry| self.of_entry(entry)).collect();
        all.extend(self.segments.diagnostics());
        all.sort_by(|a, b| a.subject.cmp(&b.subject));
        all
    }

    fn of_entry(&self, entry: &Entry) -> Vec<Diagnostic> {
        let flag = &*entry.flag;
        let mut report = Report::new(Subject::Flag(flag.record.key.to_string()));
        for rule in &flag.rules {
            for (number, condition) in rule.conditions.iter().enumerate() {
                if let Some(flaw) = condition.segment().and_then(|segment| self.segments.flaw(segment)) {
                    let name = flag.rule(rule).map_or("", |record| &record.name);
                    report.add(format!("rules[{name}].conditions[{number}]"), flaw);
                }
            }
        }
        entry.schedules.iter().for_each(|schedule| schedule.report(&mut report));
        flag.diagnostics.iter().cloned().chain(report.finish()).collect()
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&FlagKey, &Entry)> {
        self.entries.iter()
    }

    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }
}

/// Makes a [`Ruleset`]. A record that is put again replaces the earlier one.
#[derive(Debug, Clone)]
pub struct RulesetBuilder {
    parts: Parts,
}

impl RulesetBuilder {
    /// Compiles a flag. One that is there already, the very same, is left as it is.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<Arc<Flag>>) -> Self {
        let flag = flag.into();
        let known = self.parts.flags.get(&flag.key).is_some_and(|known| Arc::ptr_eq(&known.record, &flag));
        if !known {
            let compiled = CompiledFlag::new(flag, self.parts.semantics);
            self.parts.flags.insert(compiled.record.key.clone(), Arc::new(compiled));
        }
        self
    }

    /// Removes a flag; its overrides and schedules count for nothing without it.
    #[must_use]
    pub fn remove_flag(mut self, key: &FlagKey) -> Self {
        self.parts.flags.remove(key);
        self
    }

    /// Puts an override, of a flag that is there or that comes later.
    #[must_use]
    pub fn flag_override(mut self, record: impl Into<Arc<Override>>) -> Self {
        let record = record.into();
        Arc::make_mut(self.parts.overrides.entry(record.flag_id).or_default()).put(record);
        self
    }

    /// Removes an override.
    #[must_use]
    pub fn remove_override(mut self, flag_id: FlagId, entity_type: &str, entity_id: &str) -> Self {
        if let Some(overrides) = self.parts.overrides.get_mut(&flag_id) {
            Arc::make_mut(overrides).remove(entity_type, entity_id);
        }
        self
    }

    /// Puts a time schedule. Those of a flag are tried in the order in which they were put.
    #[must_use]
    pub fn time_schedule(mut self, record: impl Into<Arc<TimeSchedule>>) -> Self {
        let schedule = Arc::new(CompiledSchedule::new(record.into(), self.parts.semantics));
        let flag_id = schedule.record().flag_id;
        let of_flag = Arc::make_mut(self.parts.schedules.entry(flag_id).or_default());
        match of_flag.iter_mut().find(|known| known.record().id == schedule.record().id) {
            Some(known) => *known = schedule,
            None => of_flag.push(schedule),
        }
        self
    }

    /// Removes a time schedule.
    #[must_use]
    pub fn remove_time_schedule(mut self, flag_id: FlagId, id: TimeScheduleId) -> Self {
        if let Some(of_flag) = self.parts.schedules.get_mut(&flag_id) {
            Arc::make_mut(of_flag).retain(|schedule| schedule.record().id != id);
        }
        self
    }

    /// Compiles a segment.
    #[must_use]
    pub fn segment(mut self, segment: impl Into<Arc<Segment>>) -> Self {
        let compiled = CompiledSegment::new(segment.into(), self.parts.semantics);
        self.parts.segments.insert(compiled.id(), Arc::new(compiled));
        self
    }

    /// Removes a segment; conditions on it find none.
    #[must_use]
    pub fn remove_segment(mut self, id: SegmentId) -> Self {
        self.parts.segments.remove(&id);
        self
    }

    /// The set.
    #[must_use]
    pub fn build(self) -> Ruleset {
        let parts = self.parts;
        let (no_overrides, no_schedules) = (Arc::default(), Arc::default());
        let entry = |(key, flag): (&FlagKey, &Arc<CompiledFlag>)| {
            let id = flag.record.id;
            let overrides = parts.overrides.get(&id).unwrap_or(&no_overrides);
            let schedules = parts.schedules.get(&id).unwrap_or(&no_schedules);
            let flag = Arc::clone(flag);
            (key.clone(), Entry { flag, overrides: Arc::clone(overrides), schedules: Arc::clone(schedules) })
        };
        let entries = parts.flags.iter().map(entry).collect();
        let segments = Segments::new(parts.segments.values().cloned());
        Ruleset { entries, segments, parts }
    }
}
