//! [`Evaluator`]: decisions for one context at one instant.

use flags_core::{FlagKey, FlagType, Json, Timestamp};

use crate::condition::Facts;
use crate::context::EvaluationContext;
use crate::decide::decide;
use crate::details::{Decision, Details, Failure, Reason};
use crate::explain::{Explanation, explain};
use crate::observe::Observer;
use crate::ruleset::{Entry, Ruleset};
use crate::served::Answer;

/// Decides flags for one context at one instant. Made by [`Ruleset::evaluator`]; costs nothing to make.
///
/// Nothing here fails or panics: what cannot be decided answers the caller's default, with the reason and an
/// error.
#[derive(Debug, Clone, Copy)]
pub struct Evaluator<'r, 'c> {
    ruleset: &'r Ruleset,
    context: &'c EvaluationContext,
    at: Timestamp,
}

impl<'r, 'c> Evaluator<'r, 'c> {
    pub(crate) fn new(ruleset: &'r Ruleset, context: &'c EvaluationContext, at: Timestamp) -> Self {
        Self { ruleset, context, at }
    }

    /// Decides a flag without asking for a type.
    #[must_use]
    pub fn decide(&self, key: &str) -> Decision<'r> {
        self.observed(key, &mut ())
    }

    /// Decides each of these flags.
    pub fn many<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> impl Iterator<Item = (&'k str, Decision<'r>)> {
        keys.into_iter().map(|key| (key, self.decide(key)))
    }

    /// Decides every flag, in no order.
    pub fn all(&self) -> impl Iterator<Item = (&'r FlagKey, Decision<'r>)> {
        self.ruleset.entries().map(|entry| (&entry.flag.record.key, self.entry(entry, &mut ())))
    }

    /// A boolean. Any flag will do that answers with one, as in the origin.
    #[must_use]
    pub fn boolean(&self, key: &str, default: bool) -> Details<'r, bool> {
        self.typed(key, None, "a boolean", default, Answer::as_bool)
    }

    /// A text, of a string flag.
    #[must_use]
    pub fn string<'v>(&self, key: &str, default: &'v str) -> Details<'r, &'v str>
    where
        'r: 'v,
    {
        #[allow(clippy::redundant_closure_for_method_calls, reason = "the closure shortens a lifetime")]
        self.typed(key, Some(FlagType::String), "a string", default, |answer| answer.as_str())
    }

    /// A whole number of 64 bits, of a number flag.
    #[must_use]
    pub fn integer(&self, key: &str, default: i64) -> Details<'r, i64> {
        self.typed(key, Some(FlagType::Number), "an integer", default, Answer::as_i64)
    }

    /// A number, of a number flag, rounded to the nearest of floating point.
    #[must_use]
    pub fn float(&self, key: &str, default: f64) -> Details<'r, f64> {
        self.typed(key, Some(FlagType::Number), "a number", default, Answer::as_f64)
    }

    /// Any JSON, of a JSON flag.
    #[must_use]
    pub fn json(&self, key: &str, default: Json) -> Details<'r, Json> {
        self.typed(key, Some(FlagType::Json), "JSON", default, |answer| Some(answer.to_json()))
    }

    /// A value of one type. Null is no value: it answers the default, and is no error.
    fn typed<T>(
        &self,
        key: &str,
        flag_type: Option<FlagType>,
        asked: &'static str,
        default: T,
        read: impl FnOnce(Answer<'r>) -> Option<T>,
    ) -> Details<'r, T> {
        let Some(entry) = self.ruleset.entry(key) else { return not_found().with(default) };
        let actual = entry.flag.record.flag_type;
        if let Some(asked) = flag_type.filter(|asked| *asked != actual) {
            return mismatch(Failure::OtherFlagType { asked, actual }, default);
        }
        let decision = self.entry(entry, &mut ());
        match decision.value {
            None => decision.with(default),
            Some(answer) if answer.is_null() => decision.with(default),
            Some(answer) => match read(answer) {
                Some(value) => decision.with(value),
                None => mismatch(Failure::TypeMismatch { asked, actual: answer.json_type() }, default),
            },
        }
    }

    /// Decides a flag and tells how, step by step.
    #[must_use]
    pub fn explain(&self, key: &str) -> Explanation {
        explain(self, self.ruleset, self.context, self.at, key)
    }

    /// Decides a flag under the eyes of an observer.
    pub(crate) fn observed(&self, key: &str, observer: &mut impl Observer) -> Decision<'r> {
        self.ruleset.entry(key).map_or_else(not_found, |entry| self.entry(entry, observer))
    }

    fn entry(&self, entry: &'r Entry, observer: &mut impl Observer) -> Decision<'r> {
        let facts = Facts { context: self.context, at: self.at, segments: self.ruleset.segments() };
        decide(entry, facts, self.ruleset.semantics(), observer)
    }
}

fn not_found<'r>() -> Decision<'r> {
    Decision::failed(Reason::Default, Failure::NotFound)
}

fn mismatch<'r, T>(failure: Failure, default: T) -> Details<'r, T> {
    let failed: Decision<'r> = Decision::failed(Reason::Error, failure);
    failed.with(default)
}
