//! Feature-flag decisions: pure and synchronous, without I/O, clock or randomness.
//!
//! A [`Ruleset`] is compiled once from records of `flags-core`, and then decides often. The same flag and the
//! same context give the same value, reason and variant as in the origin, litestar-flags 0.2.2.
//!
//! | module or item | what |
//! |---|---|
//! | [`Ruleset`], [`RulesetBuilder`] | flags, overrides, time schedules and segments, compiled |
//! | [`Semantics`] | the origin's answers, or ones that fail closed |
//! | [`EvaluationContext`] | whom a decision is for |
//! | [`Evaluator`] | decisions for a context at an instant, typed or not, of one flag or all |
//! | [`Details`], [`Decision`], [`Reason`], [`ErrorCode`] | what is answered, in OpenFeature's terms |
//! | [`explain`] | one decision, step by step, as data and as a tree |
//! | [`Diagnostic`] | what in a record could not be compiled |
//! | [`CompiledSchedule`] | when a time schedule is active, and when next |
//! | [`rollout_bucket`], [`variant_bucket`] | where a targeting key falls |
//! | [`request`] | one request as a line of JSON, one answer |
//! | [`Value`] | a JSON value as conditions see it |
//! | [`docs::deviations`], [`docs::strict`] | how the semantics differ from the origin, and from each other |

mod bucket;
mod builder;
mod condition;
mod context;
mod date;
mod decide;
mod details;
mod diagnostic;
pub mod docs;
mod evaluator;
pub mod explain;
mod flag;
mod hash_trie;
mod observe;
mod overrides;
mod owned;
mod pattern;
mod raised;
pub mod request;
mod ruleset;
mod schedule;
mod segment;
mod semantics;
mod served;
mod value;
mod zone;

pub use bucket::{rollout_bucket, variant_bucket};
pub use builder::RulesetBuilder;
pub use context::{EvaluationContext, EvaluationContextBuilder};
pub use details::{Decision, Details, ErrorCode, EvaluationError, FlagMetadata, MatchedRule, Reason};
pub use diagnostic::{Diagnostic, Subject};
pub use evaluator::Evaluator;
pub use explain::Explanation;
pub use ruleset::Ruleset;
pub use schedule::CompiledSchedule;
pub use semantics::Semantics;
pub use served::Answer;
pub use value::{InvalidValue, MAX_DEPTH, Object, Value};
