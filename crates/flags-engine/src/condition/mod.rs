//! Conditions, compiled: an attribute to look up and a test of its value.

mod compat;
mod compile;
mod operator;
mod strict;
mod version;
mod window;

use flags_core::Timestamp;

pub(crate) use compile::{Place, compile};
pub(crate) use window::within;

use crate::context::{EvaluationContext, Lookup};
use crate::raised::Raised;
use crate::segment::{SegmentRef, Segments};
use crate::value::View;

/// One condition, ready to be judged.
#[derive(Debug)]
pub(crate) struct Condition {
    test: Test,
    /// Turns a yes into a no and back, in the strict semantics alone.
    negate: bool,
}

#[derive(Debug)]
enum Test {
    /// It says nothing that this semantics knows, and is passed over.
    Skip,
    /// It cannot hold, negated or not.
    Never,
    Raise(Raised),
    Compat(Lookup, compat::Test),
    Strict(Lookup, strict::Test),
    Segment {
        segment: SegmentRef,
        member: bool,
    },
    /// The segment operators of the strict semantics: of a missing segment nothing holds.
    StrictSegment {
        segment: SegmentRef,
        member: bool,
    },
}

/// What conditions are judged against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) context: &'a EvaluationContext,
    pub(crate) at: Timestamp,
    pub(crate) segments: &'a Segments,
}

impl Condition {
    fn new(test: Test) -> Self {
        Self { test, negate: false }
    }

    pub(crate) fn holds(&self, facts: Facts<'_>) -> Result<bool, Raised> {
        let strictly = |answer: Option<bool>| answer.is_some_and(|answer| answer != self.negate);
        match &self.test {
            Test::Skip => Ok(true),
            Test::Never => Ok(false),
            Test::Raise(raised) => Err(*raised),
            Test::Compat(lookup, test) => test.holds(lookup.find(facts.context, facts.at)),
            Test::Strict(lookup, test) => Ok(strictly(test.holds(lookup.find(facts.context, facts.at)))),
            Test::Segment { segment, member } => facts.segments.condition(segment, *member, facts),
            Test::StrictSegment { segment, member } => {
                Ok(strictly(facts.segments.strict_condition(segment, *member, facts)?))
            }
        }
    }

    /// The attribute's value, for an explanation.
    pub(crate) fn actual<'c>(&self, context: &'c EvaluationContext, at: Timestamp) -> View<'c> {
        match &self.test {
            Test::Compat(lookup, _) | Test::Strict(lookup, _) => lookup.find(context, at),
            _ => View::Null,
        }
    }

    pub(crate) fn is_skipped(&self) -> bool {
        matches!(self.test, Test::Skip)
    }

    /// The segment that it refers to.
    pub(crate) fn segment(&self) -> Option<&SegmentRef> {
        match &self.test {
            Test::Segment { segment, .. } | Test::StrictSegment { segment, .. } => Some(segment),
            _ => None,
        }
    }
}
