//! `flags eval`.

use std::str::FromStr as _;

use clap::{Args, ValueEnum};
use feature_flags::engine::{EvaluationContext, Semantics};
use feature_flags::{FlagKey, Json, Timestamp};

/// What to decide, for whom, and when.
#[derive(Args)]
pub(crate) struct Eval {
    /// The flag's key
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", allow_negative_numbers = true)]
    pub(crate) key: Option<FlagKey>,
    /// For whom, as JSON; repeat it for several decisions
    #[arg(long, value_name = "JSON", value_parser = context, conflicts_with = "stdin")]
    pub(crate) context: Vec<EvaluationContext>,
    /// As at this instant; now, if left out
    #[arg(long, value_name = "INSTANT", conflicts_with = "stdin")]
    pub(crate) at: Option<Timestamp>,
    /// The answer where the flag gives none
    // Named, since a text can also become JSON as a string, and that is what would be chosen.
    #[arg(long, value_name = "JSON", value_parser = Json::from_str, allow_hyphen_values = true, conflicts_with = "stdin")]
    pub(crate) default: Option<Json>,
    /// What conditions and schedules mean
    #[arg(long, value_enum, default_value = "compat", conflicts_with = "stdin")]
    pub(crate) semantics: SemanticsArg,
    /// Show the way to the decision
    #[arg(long, conflicts_with = "stdin")]
    pub(crate) explain: bool,
    /// Read one request a line, and answer one decision a line; needs no store
    #[arg(long)]
    pub(crate) stdin: bool,
}

/// [`Semantics`] as an option.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SemanticsArg {
    /// The answers of litestar-flags
    Compat,
    /// Fails closed
    Strict,
}

impl From<SemanticsArg> for Semantics {
    fn from(argument: SemanticsArg) -> Self {
        match argument {
            SemanticsArg::Compat => Self::Compat,
            SemanticsArg::Strict => Self::Strict,
        }
    }
}

fn context(text: &str) -> Result<EvaluationContext, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
