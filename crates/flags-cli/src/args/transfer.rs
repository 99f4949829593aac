//! `flags export` and `flags import`.

use std::path::PathBuf;

use clap::Args;
use feature_flags::transfer::ImportMode;

/// Where to export to.
#[derive(Args)]
pub(crate) struct Export {
    /// The file to write, once the document is whole; not the one that holds the store
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What to import, and how.
#[derive(Args)]
pub(crate) struct Import {
    /// An exported document; `-` is standard input
    pub(crate) file: PathBuf,
    /// Delete what the document does not hold
    #[arg(long)]
    pub(crate) replace: bool,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl Import {
    pub(crate) fn mode(&self) -> ImportMode {
        if self.replace { ImportMode::Replace } else { ImportMode::Merge }
    }
}
