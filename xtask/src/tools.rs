//! Running commands: a failure names the command, so that it can be repeated by hand.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The cargo that runs us, so that nested calls use the same toolchain.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    Command::new(program)
}

/// Runs a command with its output shown.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{status}; to repeat it: `{}`", shown(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed; what it printed on stderr is part of the error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}\n{}", shown(command), output.status, stderr.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no UTF-8", shown(command)))
}

/// The first program of this name on `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).map(|dir| dir.join(&name)).find(|file| file.is_file())
}

/// The program that a user named in a variable. Tests run in other folders, so a relative path becomes
/// absolute; a bare name is looked up on `PATH` wherever it is used.
pub(crate) fn named_in(variable: &str) -> Option<PathBuf> {
    let given = PathBuf::from(std::env::var_os(variable)?);
    let is_name = given.components().count() < 2;
    Some(if is_name { given } else { std::path::absolute(&given).unwrap_or(given) })
}

/// Whether we may install system packages: only root may.
pub(crate) fn is_root() -> bool {
    capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Installs cargo-deny when it is missing.
pub(crate) fn ensure_cargo_deny() -> Result<()> {
    if on_path("cargo-deny").is_some() {
        return Ok(());
    }
    println!("cargo-deny is missing: installing it, which takes some minutes, once");
    run(cargo().args(["install", "--locked", "cargo-deny"]))
        .context("next step: install cargo-deny by hand: `cargo install --locked cargo-deny`")
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let words: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    let set: Vec<String> = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), quoted(&value?.to_string_lossy()))))
        .collect();
    [set, words].concat().join(" ")
}

/// A word in single quotes where a shell would otherwise split or expand it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+%[]".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["clippy", "--", "-D", "it's"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(shown(&command), r"RUSTDOCFLAGS='-D warnings' cargo clippy -- -D 'it'\''s'");
    }
}
