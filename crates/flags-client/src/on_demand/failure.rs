//! [`Failure`]: what is wrong with the store, as fetches find it.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use flags_core::Error;

/// The last failure of a fetch, as long as it is what is said to be wrong with the store. What the
/// task found wrong is not replaced, since a fetch that succeeds does not end it.
#[derive(Debug, Default)]
pub(super) struct Failure(Mutex<Option<Arc<Error>>>);

impl Failure {
    pub(super) fn set(&self, store_error: &ArcSwapOption<Error>, error: &Arc<Error>) {
        let mut ours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = ours.replace(Arc::clone(error));
        for expected in [None, before] {
            store_error.compare_and_swap(&expected, Some(Arc::clone(error)));
        }
    }

    /// The store has answered.
    pub(super) fn end(&self, store_error: &ArcSwapOption<Error>) {
        let mut ours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = ours.take() {
            store_error.compare_and_swap(&Some(error), None);
        }
    }
}
