//! One line of `flags eval --stdin`: a request with everything it needs in, a decision out.

use flags_core::{Flag, Json, Override, Segment, TimeSchedule, Timestamp};
use serde::{Deserialize, Serialize};

use crate::context::EvaluationContext;
use crate::details::{Decision, ErrorCode, Reason};
use crate::ruleset::Ruleset;
use crate::semantics::Semantics;

/// What is asked: one flag, for one context, with the records that bear on it, in wire form.
///
/// `flag` and `context` must be there; a null flag is one that does not exist. Overrides and schedules of
/// another flag are ignored.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// The flag.
    #[serde(deserialize_with = "Option::deserialize")]
    pub flag: Option<Flag>,
    /// For whom.
    pub context: EvaluationContext,
    /// Overrides; of two for one entity the last counts.
    #[serde(default)]
    pub overrides: Option<Vec<Override>>,
    /// Segments.
    #[serde(default)]
    pub segments: Option<Vec<Segment>>,
    /// Time schedules, tried in this order.
    #[serde(default)]
    pub time_schedules: Option<Vec<TimeSchedule>>,
    /// The instant of evaluation; now, if there is none.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// The caller's default.
    #[serde(default)]
    pub default: Option<Json>,
    /// The semantics.
    #[serde(default)]
    pub semantics: Option<Semantics>,
}

/// What is answered. Serializes with all four members, null where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Answer {
    /// The value, or the caller's default.
    pub value: Json,
    /// Why.
    pub reason: Reason,
    /// The variant.
    pub variant: Option<String>,
    /// What went wrong.
    pub error_code: Option<ErrorCode>,
}

impl Answer {
    /// A decision, with the caller's default where it holds no value.
    #[must_use]
    pub fn new(decision: &Decision<'_>, default: Option<&Json>) -> Self {
        Self {
            value: decision
                .value
                .map_or_else(|| default.cloned().unwrap_or_default(), crate::Answer::to_json),
            reason: decision.reason,
            variant: decision.variant.map(str::to_owned),
            error_code: decision.error_code(),
        }
    }

    /// Whether the request could not be read.
    #[must_use]
    pub fn is_parse_error(&self) -> bool {
        self.error_code == Some(ErrorCode::ParseError)
    }
}

/// Decides what one line asks, `now` being the instant if it names none.
///
/// A line that cannot be read answers ERROR with PARSE_ERROR, and the caller's default where that much is
/// readable.
///
/// # Examples
///
/// ```
/// use flags_core::Timestamp;
/// use flags_engine::request::decide_line;
///
/// let answer = decide_line(r#"{"flag": null, "context": {}, "default": 3}"#, Timestamp::UNIX_EPOCH);
/// assert_eq!(
///     serde_json::to_string(&answer)?,
///     r#"{"value":3,"reason":"DEFAULT","variant":null,"error_code":"FLAG_NOT_FOUND"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn decide_line(line: impl AsRef<[u8]>, now: Timestamp) -> Answer {
    let line = line.as_ref();
    // What is derived would take a list for the members in their order.
    let object = line.trim_ascii_start().first() == Some(&b'{');
    match serde_json::from_slice::<Request>(line) {
        Ok(request) if object => decide(&request, now),
        _ => {
            #[derive(Deserialize)]
            struct Default {
                default: Option<Json>,
            }
            let readable = serde_json::from_slice(line).ok().filter(|_| object);
            let default = readable.and_then(|Default { default }| default);
            failed(default.as_ref(), Reason::Error, ErrorCode::ParseError)
        }
    }
}

/// Decides what a request asks, `now` being the instant if it names none.
#[must_use]
pub fn decide(request: &Request, now: Timestamp) -> Answer {
    let default = request.default.as_ref();
    let Some(flag) = &request.flag else {
        return failed(default, Reason::Default, ErrorCode::FlagNotFound);
    };
    let mut builder = Ruleset::builder(request.semantics.unwrap_or_default()).flag(flag.clone());
    for segment in request.segments.iter().flatten() {
        builder = builder.segment(segment.clone());
    }
    for record in request.overrides.iter().flatten() {
        builder = builder.flag_override(record.clone());
    }
    for schedule in request.time_schedules.iter().flatten() {
        builder = builder.time_schedule(schedule.clone());
    }
    let ruleset = builder.build();
    Answer::new(
        &ruleset.evaluator(&request.context, request.at.unwrap_or(now)).decide(flag.key.as_str()),
        default,
    )
}

fn failed(default: Option<&Json>, reason: Reason, code: ErrorCode) -> Answer {
    Answer { value: default.cloned().unwrap_or_default(), reason, variant: None, error_code: Some(code) }
}
