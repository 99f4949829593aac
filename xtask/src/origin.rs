//! The Python environment of the origin: the library whose wire form we share. Tests run it beside ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::tools;

/// Names the environment's interpreter to the tests; a user may set it to an environment of their own.
pub(crate) const VARIABLE: &str = "FLAGS_TEST_ORIGIN_PYTHON";

/// The one version that the golden data and the compatibility promise are about.
const VERSION: &str = "0.2.2";

/// Prints the installed version, and fails when a module that the tests import is missing.
const PROBE: &str =
    "import importlib.metadata as m, litestar_flags, redis; print(m.version('litestar-flags'))";

/// An interpreter that imports the origin: the one given, the one built earlier, or a new one.
pub(crate) fn find(test_tools: &Path) -> Result<PathBuf> {
    if let Some(given) = tools::named_in(VARIABLE) {
        probe(&given)
            .with_context(|| format!("{VARIABLE} is set, but is of no use; unset it or correct it"))?;
        println!("origin: litestar-flags {VERSION} of the given {VARIABLE}");
        return Ok(given);
    }
    let folder = test_tools.join("origin");
    let python = python_of(&folder);
    if probe(&python).is_ok() {
        println!("origin: litestar-flags {VERSION} in {}, built earlier", folder.display());
        return Ok(python);
    }
    println!("origin: building an environment with litestar-flags {VERSION} in {}", folder.display());
    build(&folder, &python)?;
    probe(&python).context("the new environment does not work")?;
    Ok(python)
}

/// Whether this interpreter imports the right version.
fn probe(python: &Path) -> Result<()> {
    let version = tools::capture(Command::new(python).args(["-c", PROBE]))?;
    match version.trim() {
        VERSION => Ok(()),
        other => bail!("{} has litestar-flags {other}, not {VERSION}", python.display()),
    }
}

/// An interpreter with pip: the system's, or that of an empty environment, since Debian's Python comes
/// without it.
pub(crate) fn python_with_pip(test_tools: &Path) -> Result<PathBuf> {
    let system = PathBuf::from("python3");
    if tools::capture(Command::new(&system).args(["-m", "pip", "--version"])).is_ok() {
        return Ok(system);
    }
    let folder = test_tools.join("pip");
    environment(&folder)?;
    Ok(python_of(&folder))
}

/// The interpreter of a virtual environment.
fn python_of(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { r"Scripts\python.exe" } else { "bin/python" })
}

/// A virtual environment with pip and nothing else.
fn environment(folder: &Path) -> Result<()> {
    tools::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder)).context(
        "the tests need Python 3.11 or newer with venv; \
         next step: `apt-get install python3 python3-venv`, or your system's equivalent",
    )
}

/// A virtual environment with the origin and nothing else.
fn build(folder: &Path, python: &Path) -> Result<()> {
    environment(folder)?;
    let requirement = format!("litestar-flags[redis]=={VERSION}");
    tools::run(
        Command::new(python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .arg(&requirement),
    )
    .with_context(|| {
        format!(
            "next step: `python3 -m pip install '{requirement}'` in an environment of your own, \
                 and name its interpreter in {VARIABLE}"
        )
    })
}
