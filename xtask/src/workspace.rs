//! What `cargo metadata` says about this workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::tools;

/// The workspace: its members and where its files are.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    target: PathBuf,
}

/// A member of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Feature names, `default` and the implicit ones of optional dependencies included.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    manifest_path: PathBuf,
}

/// What a member declares that it depends on.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    kind: Option<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        // The manifest that cargo ran us for, else the one that we were built from.
        let manifest =
            std::env::var_os("CARGO_MANIFEST_DIR").map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let json = tools::capture(tools::cargo().current_dir(manifest).args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        let mut workspace: Self =
            serde_json::from_str(&json).context("`cargo metadata` printed something new")?;
        workspace.packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(workspace)
    }

    /// The member whose manifest is in this folder, relative to the root.
    pub(crate) fn in_folder(&self, folder: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.folder() == self.root.join(folder))
    }

    /// The member of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// Where we keep the programs that we fetched for the tests; `cargo clean` removes it.
    pub(crate) fn test_tools(&self) -> PathBuf {
        self.target.join("test-tools")
    }
}

impl Package {
    /// The folder of its manifest.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

impl Dependency {
    /// Whether users of the package get this dependency as well: a dev-dependency they don't.
    pub(crate) fn is_shipped(&self) -> bool {
        self.kind.as_deref() != Some("dev")
    }
}
