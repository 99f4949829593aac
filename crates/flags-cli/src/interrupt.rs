//! Ctrl-C, and the end that a service manager asks for.

use std::io;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Ends the process when it is interrupted, saying how to go on.
///
/// At any time, since a commit reaches the store whole or not at all: there is nothing to clean up. It has a thread of its
/// own, so that a long computation does not keep anybody waiting.
pub(crate) fn watch(out: Output, hint: &'static str) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            out.failure(&Failure::interrupted(hint));
            std::process::exit(Exit::Interrupted as i32);
        }
    })?;
    Ok(())
}

/// Ends when the process is asked to, by SIGTERM. Where there is no such signal, never.
#[cfg(unix)]
pub(crate) fn terminated() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut asked = signal(SignalKind::terminate())?;
    Ok(async move {
        asked.recv().await;
    })
}

/// Ends when the process is asked to, by SIGTERM. Where there is no such signal, never.
#[cfg(not(unix))]
pub(crate) fn terminated() -> io::Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}
