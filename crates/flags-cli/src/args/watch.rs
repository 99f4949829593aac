//! `flags watch`.

use std::num::NonZeroU64;

use clap::Args;

/// How to follow.
#[derive(Args)]
pub(crate) struct Watch {
    /// One line a change, also on a terminal
    #[arg(long)]
    pub(crate) lines: bool,
    /// End after so many changes
    #[arg(long, value_name = "NUMBER")]
    pub(crate) count: Option<NonZeroU64>,
}
