//! Work that waits for the disk, on a thread of its own.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use flags_core::{Clock as _, Error, ErrorKind, Result, SystemClock};
use futures_util::future::{Either, select};
use tokio::runtime::Handle;

/// Why a thread answered nobody.
pub(super) const NO_ANSWER: &str = "the thread at work ended before it was done: it panicked, which is a defect of this library, or its \
     runtime is shutting down";

/// The runtime that this is called in.
///
/// # Errors
///
/// `Invalid` where it is none.
pub(super) fn runtime() -> Result<Handle> {
    Handle::try_current().map_err(|error| {
        Error::new(ErrorKind::Invalid, "not within a tokio runtime; call it there").with_source(error)
    })
}

/// The outcome of the future, if it comes in time.
pub(super) async fn within<F: Future>(deadline: Duration, future: F) -> Option<F::Output> {
    match select(pin!(future), SystemClock.sleep(deadline)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// The outcome of work that changes nothing.
///
/// # Errors
///
/// `Unavailable` when it does not come in time.
pub(super) async fn blocking<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    // It runs to its end, whoever waits for it.
    match within(deadline, runtime()?.spawn_blocking(work)).await {
        Some(Ok(outcome)) => Ok(outcome),
        Some(Err(error)) => Err(Error::new(ErrorKind::Unavailable, NO_ANSWER).with_source(error)),
        None => {
            let reason = format!("the file system did not answer within {deadline:?}; try again");
            Err(Error::new(ErrorKind::Unavailable, reason))
        }
    }
}
