//! [`Ruleset`]: a compiled set of flags.

use std::sync::Arc;

use flags_core::{Flag, FlagKey, Timestamp};

use crate::builder::RulesetBuilder;
use crate::context::EvaluationContext;
use crate::diagnostic::{Diagnostic, Report, Subject};
use crate::evaluator::Evaluator;
use crate::flag::CompiledFlag;
use crate::hash_trie::{HashTrie, Keyed};
use crate::overrides::Overrides;
use crate::owned::{Owned, Owner};
use crate::schedule::CompiledSchedule;
use crate::segment::Segments;
use crate::semantics::Semantics;

/// Flags with their overrides, time schedules and segments, compiled and immutable.
///
/// Cloning copies pointers. [`edit`](Self::edit) makes the next one, in which everything that did not change
/// is the same compiled object: changing one flag, or one override of a million, takes microseconds.
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
#[derive(Debug, Clone)]
pub struct Ruleset {
    pub(crate) semantics: Semantics,
    pub(crate) flags: HashTrie<Entry>,
    pub(crate) owners: HashTrie<Owner>,
    pub(crate) segments: Arc<Segments>,
}

/// A flag with what belongs to it: what a decision needs is found by one hash.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    key: FlagKey,
    pub(crate) flag: Arc<CompiledFlag>,
    owned: Owned,
}

impl Keyed for Entry {
    type Key = str;

    fn key(&self) -> &str {
        self.key.as_str()
    }
}

impl Entry {
    pub(crate) fn new(flag: Arc<CompiledFlag>, owned: Owned) -> Self {
        Self { key: flag.record.key.clone(), flag, owned }
    }

    pub(crate) fn overrides(&self) -> Option<&Overrides> {
        self.owned.overrides()
    }

    pub(crate) fn schedules(&self) -> Option<&[Arc<CompiledSchedule>]> {
        self.owned.schedules()
    }
}

impl Ruleset {
    /// An empty set, to be filled.
    #[must_use]
    pub fn builder(semantics: Semantics) -> RulesetBuilder {
        RulesetBuilder::new(semantics)
    }

    /// A copy to be changed. What does not change is not compiled again.
    #[must_use]
    pub fn edit(&self) -> RulesetBuilder {
        RulesetBuilder::from(self.clone())
    }

    /// What decides for a context at an instant.
    #[must_use]
    pub fn evaluator<'r, 'c>(&'r self, context: &'c EvaluationContext, at: Timestamp) -> Evaluator<'r, 'c> {
        Evaluator::new(self, context, at)
    }

    /// The semantics that it was compiled for.
    #[must_use]
    pub fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// How many flags there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// A flag, as it was put.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<&Arc<Flag>> {
        self.entry(key).map(|entry| &entry.flag.record)
    }

    /// The flags, in no order.
    pub fn flags(&self) -> impl Iterator<Item = &Arc<Flag>> {
        self.flags.iter().map(|entry| &entry.flag.record)
    }

    /// What could not be compiled, or does not mean what it seems to, ordered by what it is about.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut all: Vec<Diagnostic> = self.flags.iter().flat_map(|entry| self.of_entry(entry)).collect();
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
        entry.schedules().unwrap_or_default().iter().for_each(|schedule| schedule.report(&mut report));
        flag.diagnostics.iter().cloned().chain(report.finish()).collect()
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.flags.get(key)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.flags.iter()
    }

    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }
}
