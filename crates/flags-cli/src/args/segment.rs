//! `flags segment`.

use clap::Subcommand;
use feature_flags::SegmentName;

use super::shared::{Delete, Input, Update};

/// What can be done with segments.
#[derive(Subcommand)]
pub(crate) enum SegmentCommand {
    /// List the segments, by name
    List,
    /// Show one
    Get {
        /// Its name
        #[arg(allow_negative_numbers = true)]
        name: SegmentName,
    },
    /// Create one, or those of an array one by one; only `name` is required
    Create(Input),
    /// Change by records; what a record does not name stays as it is
    Update(Update),
    /// Delete segments by name
    Delete(Delete<SegmentName>),
}
