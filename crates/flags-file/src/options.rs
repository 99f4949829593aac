//! [`FileBuilder`]: where the file is, and how it is watched.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flags_core::storage::Limits;
use flags_core::{Clock, Error, ErrorKind, Result, SystemClock};

use crate::fault::{Cause, Fault};
use crate::store::FileStorage;
use crate::url;

/// No call takes longer. Instants that are further away than a clock counts are none.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) path: PathBuf,
    pub(crate) deadline: Duration,
    pub(crate) poll_interval: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
}

/// Opens a [`FileStorage`].
#[derive(Debug, Clone)]
#[must_use]
pub struct FileBuilder {
    pub(crate) options: Options,
}

impl FileBuilder {
    /// The store in the file at `path`. A relative path is one of the directory that is the current one when
    /// it is opened.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let options = Options {
            path: path.into(),
            deadline: Duration::from_secs(5),
            poll_interval: None,
            clock: Arc::new(SystemClock),
            limits: Limits::default(),
        };
        Self { options }
    }

    /// Reads a URL: `file:PATH`, where PATH is taken as it is written, up to a `?`; or `file:///PATH`, where
    /// it is percent-encoded. Its parameters, each at most once:
    ///
    /// | parameter | as |
    /// |---|---|
    /// | `deadline_ms` | [`deadline`](Self::deadline) |
    /// | `poll_ms` | [`poll_interval`](Self::poll_interval) |
    ///
    /// # Errors
    ///
    /// `Invalid` for a URL that cannot be read or a parameter that does not exist.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// How long one call may take: reading the file where it changed, waiting for other writers,
    /// writing. 5 s unless said otherwise, and a year at most.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// Makes watches look at the file this often, instead of asking the file system to tell of changes: for
    /// file systems that don't, such as those of a network. Without it they are told, and look every two
    /// seconds besides.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.options.poll_interval = Some(interval);
        self
    }

    /// The clock that expiry is told by; that of the system unless said otherwise.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.options.clock = clock;
        self
    }

    /// Limits of its own.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Reads the file. One that does not exist is an empty store, and created by the first commit; its
    /// directory has to exist. One that is empty is waited for a moment: some programs empty a file before
    /// they write it.
    ///
    /// Must be called within a tokio runtime, as every method of the store.
    ///
    /// # Errors
    ///
    /// `Invalid` for options that cannot be; `Unavailable` for a file that cannot be read, is no document of
    /// flags (the error says in which line and column), or whose directory does not exist; `Denied` when
    /// permission is missing.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time: nothing was written. A thread of the runtime that is just reading the file
    /// reads it to its end.
    pub async fn open(mut self) -> Result<FileStorage> {
        let zero = |field| Error::new(ErrorKind::Invalid, "zero leaves no time").with_field(field);
        if self.options.deadline.is_zero() {
            return Err(zero("deadline"));
        }
        if self.options.poll_interval.is_some_and(|interval| interval.is_zero()) {
            return Err(zero("poll_interval"));
        }
        self.options.deadline = self.options.deadline.min(LONGEST);
        self.options.path = absolute(&self.options.path).map_err(|fault| fault.error())?;
        FileStorage::open_with(self.options).await
    }
}

/// The path from the root, so that it stays the same file wherever the process goes.
fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    // `a/` and `..` are directories.
    let slash = path.as_os_str().to_string_lossy().ends_with(std::path::is_separator);
    match std::path::absolute(path) {
        Ok(absolute) if !slash && absolute.file_name().is_some() => Ok(absolute),
        _ => Err(Fault::new(path, Cause::NoFile)),
    }
}
