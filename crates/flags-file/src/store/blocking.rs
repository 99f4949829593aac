//! Work that waits for the disk, on a thread of its own.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use flags_core::{Clock as _, Error, ErrorKind, Result, SystemClock};
use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Begins the work. It runs to its end, whoever waits for it.
pub(super) fn begin<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    let runtime = Handle::try_current().map_err(|error| {
        Error::new(ErrorKind::Invalid, "not within a tokio runtime; call it there").with_source(error)
    })?;
    Ok(runtime.spawn_blocking(work))
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
    match within(deadline, begin(work)?).await {
        Some(Ok(outcome)) => Ok(outcome),
        Some(Err(error)) => {
            Err(Error::new(ErrorKind::Unavailable, "the runtime is shutting down").with_source(error))
        }
        None => {
            let reason = format!("the file system did not answer within {deadline:?}; try again");
            Err(Error::new(ErrorKind::Unavailable, reason))
        }
    }
}
