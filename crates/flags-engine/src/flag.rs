//! A flag, compiled by itself.

use std::sync::Arc;

use flags_core::{Flag, FlagStatus, FlagType, Rule, Variant};

use crate::bucket::Buckets;
use crate::condition::{Condition, Place, compile};
use crate::diagnostic::{Diagnostic, Report, Subject};
use crate::raised::Raised;
use crate::semantics::Semantics;
use crate::served::{Answer, Served, enabled_member};

/// A flag ready to be decided. It knows nothing of overrides, schedules and segments, so that none of
/// them, when changed, compiles it again.
#[derive(Debug)]
pub(crate) struct CompiledFlag {
    pub(crate) record: Arc<Flag>,
    pub(crate) buckets: Buckets,
    /// In the order in which they are tried.
    pub(crate) rules: Box<[CompiledRule]>,
    pub(crate) variants: Option<Variants>,
    default: Option<Served>,
    pub(crate) diagnostics: Box<[Diagnostic]>,
}

#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// Its place in the record.
    place: usize,
    /// What most rules are asked before they do not match is kept here: the record is elsewhere in memory.
    pub(crate) enabled: bool,
    pub(crate) percentage: Option<i64>,
    pub(crate) conditions: Box<[Condition]>,
    served: Option<Served>,
}

#[derive(Debug)]
pub(crate) struct Variants {
    /// In order of their keys.
    each: Box<[CompiledVariant]>,
    /// What a hash is counted in: 100, or the sum of the weights.
    total: u64,
}

#[derive(Debug)]
pub(crate) struct CompiledVariant {
    place: usize,
    /// The sum of the weights up to this one.
    upto: i128,
    value: Result<Option<Served>, Raised>,
}

impl CompiledFlag {
    pub(crate) fn new(record: Arc<Flag>, semantics: Semantics) -> Self {
        let mut report = Report::new(Subject::Flag(record.key.to_string()));
        let mut order: Vec<usize> = (0..record.rules.len()).collect();
        order.sort_by_key(|place| record.rules[*place].priority);
        let rules = order.into_iter().map(|place| rule(&record, place, semantics, &mut report)).collect();
        let variants = variants(&record, semantics, &mut report);
        let default = Served::new(record.default_value.as_ref());
        let buckets = Buckets::of(record.key.as_str());
        Self { buckets, rules, variants, default, diagnostics: report.finish(), record }
    }

    pub(crate) fn is_boolean(&self) -> bool {
        self.record.flag_type == FlagType::Boolean
    }

    pub(crate) fn is_active(&self) -> bool {
        self.record.status == FlagStatus::Active
    }

    /// What the flag answers when nothing else does.
    pub(crate) fn default(&self) -> Answer<'_> {
        if self.is_boolean() { Answer::bool(self.record.default_enabled) } else { self.default_value() }
    }

    pub(crate) fn default_value(&self) -> Answer<'_> {
        Answer::of(self.default.as_ref())
    }

    /// A boolean flag answers the bit; another its value, or the bit when that is null.
    pub(crate) fn served<'r>(&self, enabled: bool, value: Option<&'r Served>) -> Answer<'r> {
        match value {
            Some(value) if !self.is_boolean() => Answer::of(Some(value)),
            _ => Answer::bool(enabled),
        }
    }

    pub(crate) fn rule(&self, rule: &CompiledRule) -> Option<&Rule> {
        self.record.rules.get(rule.place)
    }

    pub(crate) fn rule_answer<'r>(&'r self, rule: &'r CompiledRule) -> Answer<'r> {
        let enabled = self.rule(rule).is_some_and(|record| record.serve_enabled);
        self.served(enabled, rule.served.as_ref())
    }

    pub(crate) fn variant(&self, variant: &CompiledVariant) -> Option<&Variant> {
        self.record.variants.get(variant.place)
    }
}

impl Variants {
    /// The variant that a hash falls on, and the bucket that it is.
    pub(crate) fn choose(&self, hash: u32) -> Option<(u64, &CompiledVariant)> {
        let bucket = u64::from(hash) % self.total;
        let chosen = self.each.iter().find(|variant| i128::from(bucket) < variant.upto);
        chosen.or(self.each.last()).map(|variant| (bucket, variant))
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &CompiledVariant> {
        self.each.iter()
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

impl CompiledVariant {
    pub(crate) fn answer(&self) -> Result<Answer<'_>, Raised> {
        match &self.value {
            Ok(served) => Ok(Answer::of(served.as_ref())),
            Err(raised) => Err(*raised),
        }
    }

    pub(crate) fn upto(&self) -> i128 {
        self.upto
    }
}

fn rule(flag: &Flag, place: usize, semantics: Semantics, report: &mut Report) -> CompiledRule {
    let record = &flag.rules[place];
    let path = format!("rules[{}].", record.name);
    let conditions = compile(&record.conditions, semantics, Place::Rule, &path, report);
    CompiledRule {
        place,
        enabled: record.enabled,
        percentage: record.rollout_percentage,
        conditions,
        served: Served::new(record.serve_value.as_ref()),
    }
}

fn variants(flag: &Flag, semantics: Semantics, report: &mut Report) -> Option<Variants> {
    if flag.variants.is_empty() {
        return None;
    }
    let mut order: Vec<usize> = (0..flag.variants.len()).collect();
    order.sort_by(|a, b| flag.variants[*a].key.cmp(&flag.variants[*b].key));
    let mut upto = 0_i128;
    let each: Box<[CompiledVariant]> = order
        .into_iter()
        .map(|place| {
            let record = &flag.variants[place];
            let weight = i128::from(record.weight);
            upto += if semantics == Semantics::Strict { weight.max(0) } else { weight };
            CompiledVariant { place, upto, value: variant_value(flag, record, report) }
        })
        .collect();
    let total = match semantics {
        Semantics::Compat => 100,
        // Weights that sum to nothing choose nobody; a sum past 32 bits is past what a hash can tell apart.
        Semantics::Strict => {
            u64::try_from(upto).ok().filter(|total| (1..=u64::from(u32::MAX)).contains(total))?
        }
    };
    Some(Variants { each, total })
}

fn variant_value(flag: &Flag, variant: &Variant, report: &mut Report) -> Result<Option<Served>, Raised> {
    if flag.flag_type != FlagType::Boolean {
        return Ok(Served::new(Some(&variant.value)));
    }
    enabled_member(&variant.value).map_err(|()| {
        let raised = Raised::VariantIsNoObject;
        report.add(
            format!("variants[{}].value", variant.key),
            format!("{raised}: whoever gets it gets an error"),
        );
        raised
    })
}
