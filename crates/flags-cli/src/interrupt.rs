//! Ctrl-C, and the end that a service manager asks for.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// A file that is not whole yet, and would be of no use.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The file to remove from here on when the process is interrupted.
pub(crate) fn remove(file: Option<PathBuf>) {
    *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = file;
}

/// Ends the process when it is interrupted, saying how to go on.
///
/// At any time, since a commit reaches the store whole or not at all: there is nothing to clean up
/// but a file that is being written. It has a thread of its own, so that a long computation does
/// not keep anybody waiting.
pub(crate) fn watch(out: Output, hint: &'static str) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // From here on, and not only once the thread is at work: until then the process would just end.
    let interrupted = {
        let _inside = runtime.enter();
        interrupted()?
    };
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        if runtime.block_on(interrupted).is_some() {
            // Held to the end, so that it is not put in its place meanwhile.
            let unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = &*unfinished {
                // It is hidden, and does no harm.
                let _ = std::fs::remove_file(file);
            }
            out.failure(&Failure::interrupted(hint));
            std::process::exit(Exit::Interrupted as i32);
        }
    })?;
    Ok(())
}

/// Ends when somebody presses Ctrl-C. `None`: nobody ever will.
#[cfg(unix)]
fn interrupted() -> io::Result<impl Future<Output = Option<()>>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut pressed = signal(SignalKind::interrupt())?;
    Ok(async move { pressed.recv().await })
}

/// Ends when somebody presses Ctrl-C. `None`: nobody ever will.
#[cfg(not(unix))]
fn interrupted() -> io::Result<impl Future<Output = Option<()>>> {
    Ok(async { tokio::signal::ctrl_c().await.ok() })
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
