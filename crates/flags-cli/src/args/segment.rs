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
        name: SegmentName,
    },
    /// Create one, or those of an array one by one; only `name` is required
    Create(Input),
    /// Replace by complete records, as `get --json` prints them
    Update(Update),
    /// Delete segments by name
    Delete(Delete<SegmentName>),
}
