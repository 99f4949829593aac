//! The deadline of a call.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flags_core::Result;

use crate::error::past_deadline;

tokio::task_local! {
    /// The time of the call that is being polled.
    static CLOCK: Cell<Clock>;
}

/// When the deadline of a call begins, which each page of a long read puts off.
#[derive(Debug, Clone, Copy)]
struct Clock {
    begun: Instant,
    deadline: Duration,
    /// The call is scanning the keys of the server.
    scans: bool,
}

impl Clock {
    fn left(self) -> Duration {
        self.deadline.saturating_sub(self.begun.elapsed())
    }
}

/// Ends a call at the deadline. `handed` is up while a connection has a commit that is not answered.
pub(crate) async fn within<T>(
    deadline: Duration,
    handed: &AtomicBool,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    let clock = Clock { begun: Instant::now(), deadline, scans: false };
    let timed = async {
        let mut call = pin!(call);
        loop {
            let clock = CLOCK.with(Cell::get);
            match tokio::time::timeout(clock.left(), &mut call).await {
                Ok(outcome) => return outcome,
                // A page was read meanwhile, and the time begins with it.
                Err(_) if CLOCK.with(Cell::get).begun > clock.begun => {}
                Err(_) => {
                    let handed = handed.load(Ordering::Acquire);
                    return Err(past_deadline(deadline, handed, CLOCK.with(Cell::get).scans));
                }
            }
        }
    };
    CLOCK.scope(Cell::new(clock), timed).await
}

/// How much time the call has left; nothing outside of a call.
pub(crate) fn left() -> Duration {
    CLOCK.try_with(|clock| clock.get().left()).unwrap_or_default()
}

/// Waits for a moment before something is tried again, if there is time for that; else answers `false` at
/// once.
///
/// Jitter keeps many clients from knocking at a restarted server together.
pub(crate) async fn pause() -> bool {
    let pause = Duration::from_millis(fastrand::u64(20..100));
    let enough = left() > pause * 2;
    if enough {
        tokio::time::sleep(pause).await;
    }
    enough
}

/// A page of many was read: what comes next has the whole deadline again.
pub(crate) fn put_off(scans: bool) {
    // Outside of a call there is no deadline.
    let _ = CLOCK.try_with(|clock| clock.set(Clock { begun: Instant::now(), scans, ..clock.get() }));
}
