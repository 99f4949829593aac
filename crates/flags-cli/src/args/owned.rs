//! `flags schedule`, `flags window` and `flags phase`: records that belong to a flag and are named by an id.

use clap::{Args, Subcommand};
use feature_flags::FlagKey;

use super::shared::{Delete, Input, Update};

/// What can be done with them; `F` says which to list.
#[derive(Subcommand)]
pub(crate) enum OwnedCommand<F: Args> {
    /// List them
    List {
        /// Only those of this flag
        #[arg(long, value_name = "KEY")]
        flag: Option<FlagKey>,
        /// Only those that another library left behind when it deleted their flag
        #[arg(long, conflicts_with = "flag")]
        orphans: bool,
        #[command(flatten)]
        filter: F,
    },
    /// Show one
    Get {
        /// Its id
        id: String,
    },
    /// Create one, or those of an array one by one
    Create {
        /// Whose they are, where the record has no `flag_id`
        #[arg(long, value_name = "KEY")]
        flag: Option<FlagKey>,
        #[command(flatten)]
        input: Input,
    },
    /// Change by records; what a record does not name stays as it is
    Update(Update),
    /// Delete them by id
    Delete(Delete<String>),
}

impl<F: Args> OwnedCommand<F> {
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Get { .. })
    }
}

/// All of them.
#[derive(Args)]
pub(crate) struct Unfiltered {}
