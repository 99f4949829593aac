//! The checks that no other tool makes.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::tools;
use crate::workspace::Workspace;

/// Which of our crates a crate may be built on. A crate that is not here is on top and may use any.
const LAYERS: [(&str, &[&str]); 8] = [
    ("flags-core", &[]),
    ("flags-memory", &["flags-core"]),
    // Its state in memory is that of flags-memory.
    ("flags-file", &["flags-core", "flags-memory"]),
    ("flags-redis", &["flags-core"]),
    ("flags-engine", &["flags-core"]),
    ("flags-client", &["flags-core", "flags-engine"]),
    // An application like any other: what it needs, others need too.
    ("flags-cli", &["feature-flags"]),
    // It judges backends; one that it depended on would be judged by itself.
    ("flags-conformance", &["flags-core"]),
];

/// What flags-core never contains, at any depth: runtimes and client libraries are the backends' business.
const NOT_IN_CORE: [&str; 4] = ["tokio", "async-std", "redis", "fred"];

/// A file longer than this does more than one thing.
const LONGEST_FILE: usize = 600;

/// Dependencies between our crates point one way.
pub(crate) fn layers(workspace: &Workspace) -> Result<()> {
    let mut wrong = Vec::new();
    for (name, allowed) in LAYERS {
        let Some(package) = workspace.named(name) else { continue };
        let ours = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.is_shipped() && workspace.named(&dependency.name).is_some());
        let forbidden = ours.filter(|dependency| !allowed.contains(&dependency.name.as_str()));
        wrong.extend(forbidden.map(|dependency| format!("{name} depends on {}", dependency.name)));
    }
    ensure!(
        wrong.is_empty(),
        "{}\ndependencies point from the top to flags-core: see ARCHITECTURE.md",
        wrong.join("\n")
    );
    Ok(())
}

/// flags-core knows no async runtime and no client library, on any platform, with any feature.
pub(crate) fn purity(workspace: &Workspace) -> Result<()> {
    let tree = tools::capture(tools::cargo().current_dir(&workspace.root).args([
        "tree",
        "--package",
        "flags-core",
        "--edges",
        "normal",
        "--all-features",
        "--target",
        "all",
        "--prefix",
        "none",
    ]))?;
    let found = tree.lines().filter_map(|line| line.split(' ').next()).find(|name| {
        NOT_IN_CORE.iter().any(|crate_name| name == crate_name || name.starts_with(&format!("{crate_name}-")))
    });
    match found {
        Some(name) => bail!(
            "flags-core must not contain `{name}`; next step: `cargo tree -p flags-core -e normal -i {name}` says who brings it"
        ),
        None => Ok(()),
    }
}

/// No source file of a published crate is too long to be read at once.
pub(crate) fn file_length(workspace: &Workspace) -> Result<()> {
    let mut wrong = Vec::new();
    for package in &workspace.packages {
        let source = package.folder().join("src");
        if package.folder().starts_with(workspace.root.join("crates")) && source.exists() {
            too_long(&source, &mut wrong)?;
        }
    }
    ensure!(
        wrong.is_empty(),
        "longer than {LONGEST_FILE} lines, split them by what they do:\n{}",
        wrong.join("\n")
    );
    Ok(())
}

fn too_long(folder: &Path, wrong: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            too_long(&path, wrong)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = fs::read_to_string(&path)?.lines().count();
            if lines > LONGEST_FILE {
                wrong.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    Ok(())
}
