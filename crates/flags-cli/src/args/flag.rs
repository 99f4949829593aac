//! `flags flag`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use feature_flags::{FlagKey, FlagStatus};

use super::shared::{Delete, Input, Update};

/// What can be done with flags.
#[derive(Subcommand)]
pub(crate) enum FlagCommand {
    /// List the flags, by key
    List(FlagFilter),
    /// Show one flag
    Get {
        /// Its key
        #[arg(allow_negative_numbers = true)]
        key: FlagKey,
    },
    /// Create a flag, or all flags of an array in one commit
    Create(Create),
    /// Change flags by records; what a record does not name stays as it is
    Update(Update),
    /// Create the flags that are not there, change the others
    Apply(Input),
    /// Make it active, and on by default
    Enable {
        /// Its key
        #[arg(allow_negative_numbers = true)]
        key: FlagKey,
    },
    /// Make it inactive, and off
    Disable {
        /// Its key
        #[arg(allow_negative_numbers = true)]
        key: FlagKey,
    },
    /// Keep it for the record only
    Archive {
        /// Its key
        #[arg(allow_negative_numbers = true)]
        key: FlagKey,
    },
    /// Delete flags, and what belongs to them
    Delete(Delete<FlagKey>),
}

/// Which flags to list.
#[derive(Args)]
pub(crate) struct FlagFilter {
    /// Only those that are active, inactive or archived
    #[arg(long, value_parser = status)]
    pub(crate) status: Option<FlagStatus>,
    /// Only those with this tag; given several times, with all of them
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
}

/// What to create a flag from.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Create {
    /// The key of a new boolean flag that is off
    #[arg(allow_negative_numbers = true)]
    pub(crate) key: Option<FlagKey>,
    /// Records as JSON, of which only `key` is required; `-` is standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

fn status(text: &str) -> Result<FlagStatus, String> {
    let known = || FlagStatus::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
    let found = FlagStatus::ALL.iter().find(|status| status.as_str() == text);
    found.copied().ok_or_else(|| format!("there are {}", known()))
}
