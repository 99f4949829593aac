//! Arguments that several commands have.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use feature_flags::storage::Revision;

const GLOBAL: &str = "Options of every command";

/// Options of every command.
// No `Debug`: the URL may hold a password.
#[derive(Args)]
pub(crate) struct Global {
    /// The store: file:FILE (./flags.json if no store is named), memory:, memory:FILE (an exported document,
    /// changed in memory only), redis://HOST, rediss://HOST, redis+unix:///SOCKET
    #[arg(long, global = true, help_heading = GLOBAL, env = "FLAGS_STORE", hide_env_values = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// What every key in Redis begins with, instead of `feature_flags:`
    #[arg(long, global = true, help_heading = GLOBAL, env = "FLAGS_PREFIX", value_name = "PREFIX", hide_env_values = true)]
    pub(crate) prefix: Option<String>,
    /// Whether the command line has it, rather than the environment, which may be meant for another
    /// store.
    #[arg(skip)]
    pub(crate) prefix_is_asked_for: bool,
    /// Print JSON, also for errors
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
    /// Don't ask before deleting several records
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(crate) yes: bool,
}

/// Where records are read from.
#[derive(Args)]
pub(crate) struct Input {
    /// A record, or an array of them, as JSON; `-` is standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// A write on a condition.
#[derive(Args)]
pub(crate) struct Update {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) condition: Condition,
}

/// A condition on a write.
#[derive(Args)]
pub(crate) struct Condition {
    /// Only if the record still has this revision; instead of the `revision` member
    #[arg(long, value_name = "REV")]
    pub(crate) if_revision: Option<Revision>,
}

/// Deleting records that are named alike.
#[derive(Args)]
pub(crate) struct Delete<N>
where
    N: Clone + Send + Sync + FromStr + 'static,
    N::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Which; several are asked about first
    #[arg(required = true, value_name = "NAME", allow_negative_numbers = true)]
    pub(crate) names: Vec<N>,
    #[command(flatten)]
    pub(crate) condition: Condition,
}
