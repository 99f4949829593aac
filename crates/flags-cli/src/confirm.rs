//! The question before something is destroyed.

use std::io::{self, IsTerminal as _, Write as _};

use crate::commands::Session;
use crate::failure::Failure;

/// Goes on with what is about to happen only if somebody said yes: with `--yes`, or at the terminal.
pub(crate) fn ask(session: &Session, what: &str) -> Result<(), Failure> {
    if session.yes {
        return Ok(());
    }
    let refused = |message: String| Err(Failure::usage(message, "--yes does it without asking"));
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return refused(format!("about to {what}, and there is no terminal to ask at; nothing was changed"));
    }
    let mut stderr = io::stderr();
    write!(stderr, "About to {what}. Go on? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => refused("not confirmed; nothing was changed".to_owned()),
    }
}
