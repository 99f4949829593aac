//! Segments: their conditions compiled, their chains of parents resolved.

use std::collections::HashMap;
use std::sync::Arc;

use flags_core::{Segment, SegmentId, SegmentName};
use foldhash::quality::RandomState;
use uuid::Uuid;

use crate::condition::{Condition, Facts, Place, compile};
use crate::diagnostic::{Diagnostic, Report, Subject};
use crate::raised::Raised;
use crate::semantics::Semantics;

/// What a condition says of the segment that it means: an id if it reads as one, else a name.
#[derive(Debug)]
pub(crate) enum SegmentRef {
    Id(SegmentId),
    Name(Box<str>),
}

impl SegmentRef {
    /// With the looseness of Python's `UUID`: hyphens anywhere, braces, `urn:` and `uuid:`, and then 32
    /// characters that its `int()` reads as hexadecimal, which need not all be digits.
    pub(crate) fn new(text: &str) -> Self {
        let bare = text.replace("urn:", "").replace("uuid:", "");
        let hex = bare.trim_matches(['{', '}']).replace('-', "");
        let id = (hex.chars().count() == 32).then(|| hexadecimal(&hex)).flatten();
        id.map_or_else(|| Self::Name(text.into()), |id| Self::Id(Uuid::from_u128(id).into()))
    }
}

/// White space around, a plus, a prefix, and single underscores between digits.
fn hexadecimal(text: &str) -> Option<u128> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let digits = match unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        Some(prefixed) => prefixed.strip_prefix('_').unwrap_or(prefixed),
        None => unsigned,
    };
    // Underscores stand between digits, so that none of the parts is empty.
    let parts = || digits.split('_');
    let sound = parts().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    sound.then(|| u128::from_str_radix(&parts().collect::<String>(), 16).ok()).flatten()
}

/// One segment, compiled by itself.
#[derive(Debug)]
pub(crate) struct CompiledSegment {
    record: Arc<Segment>,
    conditions: Box<[Condition]>,
    diagnostics: Box<[Diagnostic]>,
}

impl CompiledSegment {
    pub(crate) fn new(record: Arc<Segment>, semantics: Semantics) -> Self {
        let mut report = Report::new(Subject::Segment(record.name.to_string()));
        let conditions = compile(&record.conditions, semantics, Place::Segment, "", &mut report);
        Self { record, conditions, diagnostics: report.finish() }
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.record.id
    }

    pub(crate) fn is_of(&self, record: &Arc<Segment>) -> bool {
        Arc::ptr_eq(&self.record, record)
    }
}

/// What is known of a segment before anyone asks who is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    Sound,
    /// It or a parent is disabled, or a parent is missing: nobody is in it.
    Empty,
    /// Its parents lead in a circle.
    Cyclic,
}

/// Every segment, by id and by name.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    all: Vec<(Arc<CompiledSegment>, Chain)>,
    by_id: HashMap<SegmentId, usize, RandomState>,
    by_name: HashMap<SegmentName, usize, RandomState>,
}

/// Whether a context is in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Membership {
    In,
    Out,
    Cyclic,
}

impl Segments {
    pub(crate) fn new(compiled: impl IntoIterator<Item = Arc<CompiledSegment>>) -> Self {
        let mut segments = Self::default();
        for segment in compiled {
            let place = segments.all.len();
            segments.by_id.insert(segment.id(), place);
            segments.by_name.entry(segment.record.name.clone()).or_insert(place);
            segments.all.push((segment, Chain::Sound));
        }
        segments.resolve();
        segments
    }

    /// Each, in order of their ids.
    pub(crate) fn compiled(&self) -> impl Iterator<Item = &Arc<CompiledSegment>> {
        self.all.iter().map(|(segment, _)| segment)
    }

    fn parent(&self, place: usize) -> Result<Option<usize>, Missing> {
        match self.all.get(place).and_then(|(segment, _)| segment.record.parent_segment_id) {
            None => Ok(None),
            Some(parent) => self.by_id.get(&parent).copied().map(Some).ok_or(Missing),
        }
    }

    /// Follows each chain once: a segment is as its parent is, unless it is disabled itself.
    fn resolve(&mut self) {
        let mut known: Vec<Option<Chain>> = vec![None; self.all.len()];
        let mut walk = vec![usize::MAX; self.all.len()];
        for start in 0..self.all.len() {
            let (mut path, mut here) = (Vec::new(), start);
            let end = loop {
                if let Some(chain) = known[here] {
                    break chain;
                }
                if walk[here] == start {
                    break Chain::Cyclic;
                }
                walk[here] = start;
                path.push(here);
                if !self.all[here].0.record.enabled {
                    break Chain::Empty;
                }
                match self.parent(here) {
                    Ok(Some(parent)) => here = parent,
                    Ok(None) => break Chain::Sound,
                    Err(Missing) => break Chain::Empty,
                }
            };
            for place in path {
                known[place] = Some(end);
            }
        }
        for ((_, chain), known) in self.all.iter_mut().zip(known) {
            *chain = known.unwrap_or(Chain::Sound);
        }
    }

    fn find(&self, segment: &SegmentRef) -> Option<usize> {
        match segment {
            SegmentRef::Id(id) => self.by_id.get(id).copied(),
            SegmentRef::Name(name) => self.by_name.get(&**name).copied(),
        }
    }

    /// The origin's condition: of a missing segment everybody is outside, of a circle nothing holds.
    pub(crate) fn condition(
        &self,
        segment: &SegmentRef,
        member: bool,
        facts: Facts<'_>,
    ) -> Result<bool, Raised> {
        let Some(place) = self.find(segment) else { return Ok(!member) };
        Ok(match self.membership(place, facts)? {
            Membership::In => member,
            Membership::Out => !member,
            Membership::Cyclic => false,
        })
    }

    /// `None` of a segment that is missing or in a circle.
    pub(crate) fn strict_condition(
        &self,
        segment: &SegmentRef,
        member: bool,
        facts: Facts<'_>,
    ) -> Result<Option<bool>, Raised> {
        let Some(place) = self.find(segment) else { return Ok(None) };
        Ok(match self.membership(place, facts)? {
            Membership::In => Some(member),
            Membership::Out => Some(!member),
            Membership::Cyclic => None,
        })
    }

    fn membership(&self, place: usize, facts: Facts<'_>) -> Result<Membership, Raised> {
        match self.all.get(place) {
            None | Some((_, Chain::Empty)) => return Ok(Membership::Out),
            Some((_, Chain::Cyclic)) => return Ok(Membership::Cyclic),
            Some((segment, Chain::Sound)) if segment.record.parent_segment_id.is_none() => {
                return Ok(if all_hold(&segment.conditions, facts)? {
                    Membership::In
                } else {
                    Membership::Out
                });
            }
            Some(_) => {}
        }
        // From the outermost parent inwards, as the origin does: an exception there comes first.
        let mut chain = vec![place];
        while let Some(parent) = chain.last().and_then(|last| self.parent(*last).ok().flatten()) {
            chain.push(parent);
        }
        for place in chain.into_iter().rev() {
            if !all_hold(&self.all[place].0.conditions, facts)? {
                return Ok(Membership::Out);
            }
        }
        Ok(Membership::In)
    }

    /// Why a reference leads nowhere.
    pub(crate) fn flaw(&self, segment: &SegmentRef) -> Option<&'static str> {
        match self.find(segment).and_then(|place| self.all.get(place)) {
            None => Some("there is no such segment"),
            Some((_, Chain::Cyclic)) => Some("the segment's parents lead in a circle"),
            Some(_) => None,
        }
    }

    pub(crate) fn diagnostics(&self) -> impl Iterator<Item = Diagnostic> + '_ {
        self.all.iter().flat_map(|(segment, chain)| {
            let mut report = Report::new(Subject::Segment(segment.record.name.to_string()));
            match chain {
                Chain::Cyclic => {
                    report.add("parent_segment_id", "the parents lead in a circle: no condition on it holds");
                }
                Chain::Empty
                    if segment.record.parent_segment_id.is_some_and(|id| !self.by_id.contains_key(&id)) =>
                {
                    report.add("parent_segment_id", "there is no such segment: nobody is in this one");
                }
                _ => {}
            }
            segment.diagnostics.iter().cloned().chain(report.finish())
        })
    }
}

struct Missing;

pub(crate) fn all_hold(conditions: &[Condition], facts: Facts<'_>) -> Result<bool, Raised> {
    for condition in conditions {
        if !condition.holds(facts)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_an_id_where_python_reads_one() {
        let id = "00000000-0000-4000-8000-00000000abcd";
        let plain = id.replace('-', "");
        for text in [
            id.to_owned(),
            plain.to_uppercase(),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            format!("0x{}", &plain[2..]),
            format!("+0X_{}", &plain[4..]),
            format!(" \t{}", &plain[2..]),
            format!("0_0{}", &plain[3..]),
        ] {
            let read = SegmentRef::new(&text);
            assert!(matches!(&read, SegmentRef::Id(found) if found.to_string() == id), "{text:?}: {read:?}");
        }
        for text in [
            "beta".to_owned(),
            plain[1..].to_owned(),
            format!("_{}", &plain[1..]),
            format!("{}_", &plain[1..]),
            format!("0__{}", &plain[3..]),
            format!("++{}", &plain[2..]),
            format!("\u{1f}{}", &plain[1..]),
            "x".repeat(32),
        ] {
            assert!(matches!(SegmentRef::new(&text), SegmentRef::Name(_)), "{text:?}");
        }
    }
}
