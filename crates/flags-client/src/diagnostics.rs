//! [`Diagnostics`].

use std::sync::Arc;

use flags_core::Error;
use flags_engine::Diagnostic;

/// What keeps the client from serving everything as it is meant. Read by
/// [`Client::diagnostics`](crate::Client::diagnostics).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Diagnostics {
    /// What in readable flags and segments could not be compiled, or does not mean what it seems to.
    pub records: Vec<Diagnostic>,
    /// One [`Corrupt`](flags_core::ErrorKind::Corrupt) error for each record that cannot be read, naming its
    /// key. Its last readable state is served, if there was one.
    pub unreadable: Vec<Arc<Error>>,
    /// Why the store could not be read or followed, the last time that it could not; `None` once it can.
    pub store: Option<Arc<Error>>,
    /// Why the file of [`Startup::LastSaved`](crate::Startup::LastSaved) could not be read or written; `None`
    /// once it can.
    pub file: Option<Arc<Error>>,
}

impl Diagnostics {
    /// Whether there is nothing to report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.unreadable.is_empty() && self.store.is_none() && self.file.is_none()
    }
}
