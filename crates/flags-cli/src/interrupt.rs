//! Ctrl-C, and the end that a service manager asks for.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// A file that is not whole yet, and would be of no use.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Makes a file that is removed when the process is interrupted, from its first moment on.
pub(crate) fn draft(make: impl FnOnce() -> io::Result<NamedTempFile>) -> io::Result<NamedTempFile> {
    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    let draft = make()?;
    *unfinished = Some(draft.path().to_path_buf());
    Ok(draft)
}

/// Puts it in its place, unless the process was interrupted first.
pub(crate) fn placed<T>(place: impl FnOnce() -> T) -> T {
    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    let placed = place();
    *unfinished = None;
    placed
}

/// What ends a command before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    CtrlC,
    /// SIGTERM and SIGHUP too: what it leaves behind otherwise, nobody removes.
    Any,
}

/// Ends the process when it is interrupted, saying how to go on.
///
/// At any time, since a commit reaches the store whole or not at all: there is nothing to clean up
/// but a file that is being written. It has a thread of its own, so that a long computation does
/// not keep anybody waiting.
pub(crate) fn watch(out: Output, hint: &'static str, by: Ends) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    // From here on, and not only once the thread is at work: until then the process would just end.
    let interrupted = {
        let _inside = runtime.enter();
        interrupted(by)?
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

/// Ends when somebody presses Ctrl-C, or it is ended otherwise. `None`: it never will be.
#[cfg(unix)]
fn interrupted(by: Ends) -> io::Result<impl Future<Output = Option<()>>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut kinds = vec![SignalKind::interrupt()];
    if by == Ends::Any {
        // Whoever ignores one, as `nohup` does, wants the command to go on.
        let others = [SignalKind::terminate(), SignalKind::hangup()];
        kinds.extend(others.into_iter().filter(|kind| !is_ignored(kind.as_raw_value())));
    }
    let mut signals = kinds.into_iter().map(signal).collect::<io::Result<Vec<_>>>()?;
    Ok(async move {
        let any = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures_util::future::select_all(any).await.0
    })
}

/// Whether the process was started with that signal ignored. Only Linux tells without unsafe code; elsewhere
/// nobody ignores SIGTERM, and SIGHUP is left alone.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    if !cfg!(target_os = "linux") {
        return signal == tokio::signal::unix::SignalKind::hangup().as_raw_value();
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored >> (signal - 1) & 1 == 1
}

/// Ends when somebody presses Ctrl-C. `None`: nobody ever will.
#[cfg(not(unix))]
fn interrupted(_by: Ends) -> io::Result<impl Future<Output = Option<()>>> {
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
