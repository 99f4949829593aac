//! `flags schedule` and `flags scheduler`.

use clap::{Args, Subcommand};
use feature_flags::Timestamp;

use super::owned::OwnedCommand;

/// What can be done with scheduled changes.
#[derive(Subcommand)]
pub(crate) enum ScheduleCommand {
    #[command(flatten)]
    Records(OwnedCommand<ScheduleList>),
    /// Execute once what is due: scheduled changes, and rollout phases
    #[command(after_help = super::help::RUN_DUE)]
    RunDue {
        /// What is due at this instant; now, if left out
        #[arg(long, value_name = "INSTANT")]
        at: Option<Timestamp>,
    },
}

impl ScheduleCommand {
    pub(super) fn only_reads(&self) -> bool {
        match self {
            Self::Records(command) => command.only_reads(),
            Self::RunDue { .. } => false,
        }
    }

    pub(super) fn executes(&self) -> bool {
        matches!(self, Self::RunDue { .. })
    }
}

/// Which scheduled changes to list.
#[derive(Args)]
pub(crate) struct ScheduleList {
    /// Executed ones too
    #[arg(long)]
    pub(crate) all: bool,
}
