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

/// The answer of a thread that changes nothing.
///
/// # Errors
///
/// `Unavailable` when it does not come in time, or at all.
pub(super) async fn answer<T, E>(
    deadline: Duration,
    answered: impl Future<Output = Result<T, E>>,
) -> Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match within(deadline, answered).await {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(Error::new(ErrorKind::Unavailable, NO_ANSWER).with_source(error)),
        None => {
            let reason = format!("the file system did not answer within {deadline:?}; try again");
            Err(Error::new(ErrorKind::Unavailable, reason))
        }
    }
}
