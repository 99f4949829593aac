//! [`Timer`].

use std::future::{pending, poll_fn};
use std::sync::Arc;

use flags_core::{Clock, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Goes off at an instant by a clock; where that is set back meanwhile, after the time that was left when it
/// was set. Asked for the same instant again it keeps the sleep that it has.
#[derive(Default)]
pub(crate) struct Timer {
    set: Option<(Timestamp, BoxFuture<'static, ()>)>,
}

impl Timer {
    pub(crate) fn set(&mut self, clock: &Arc<dyn Clock>, at: Option<Timestamp>) {
        if self.set.as_ref().map(|(at, _)| *at) == at {
            return;
        }
        self.set = at.map(|at| {
            let clock = Arc::clone(clock);
            let sleep = async move {
                let left = at.saturating_since(clock.now());
                if !left.is_zero() {
                    clock.sleep(left).await;
                }
            };
            (at, sleep.boxed())
        });
    }

    /// Ends once, when it goes off; never, where it is not set. May be dropped and asked again.
    pub(crate) async fn went_off(&mut self) {
        match &mut self.set {
            None => pending().await,
            Some((_, sleep)) => poll_fn(|cx| sleep.poll_unpin(cx)).await,
        }
        self.set = None;
    }
}
