//! The one error type of the project.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::record::Key;
use crate::storage::{Limit, Revision};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error, as a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, as far as a program can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The record, or the flag that should own it, does not exist. Nothing was changed.
    NotFound,
    /// The record exists already. Nothing was changed.
    AlreadyExists,
    /// Somebody else changed the record, or holds its alias. Nothing was changed: read again, decide again.
    Conflict,
    /// The request itself is wrong. Nothing was sent.
    Invalid,
    /// A stored record cannot be read. The others can.
    Corrupt,
    /// This backend does not do that. Nothing was changed.
    Unsupported,
    /// The store could not be reached, and the call was certainly not applied.
    Unavailable,
    /// The store did not answer: the call may have been applied, or may be applied yet.
    Indeterminate,
    /// The store refused: authentication or permission.
    Denied,
    /// This handle was closed.
    Closed,
}

impl ErrorKind {
    /// The kind as one lower-case word, for logs and for programs that read them.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Indeterminate => "indeterminate",
            Self::Denied => "denied",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What failed, on which record and member, and why.
///
/// `Display` gives the operation, the key, the member and a sentence that says what to do, on one line and
/// without any value of a record; it does not repeat the cause, which is in
/// [`source()`](std::error::Error::source) and, where it comes from the JSON parser, quotes what it stumbled
/// over. No secret is ever part of either.
///
/// # Examples
///
/// ```
/// use flags_core::{Error, ErrorKind, FlagKey, Key};
///
/// let key = Key::Flag(FlagKey::new("new-checkout")?);
/// let error = Error::not_found(key.clone()).in_operation("update_flag");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.key(), Some(&key));
/// assert_eq!(error.to_string(), "update_flag flag:new-checkout: does not exist");
/// # Ok::<(), flags_core::InvalidName>(())
/// ```
// Boxed, so that a `Result` on the hot path is one pointer wide.
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    operation: Option<&'static str>,
    key: Option<Key>,
    field: Option<Cow<'static, str>>,
    reason: Cow<'static, str>,
    revision: Option<Revision>,
    limit: Option<Limit>,
    unconfirmed: bool,
    source: Option<BoxError>,
}

impl Error {
    /// An error of that kind. `reason` is a sentence without a full stop that says what to do about it;
    /// it must not hold a secret or a record's value.
    #[must_use]
    pub fn new(kind: ErrorKind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Repr {
            kind,
            operation: None,
            key: None,
            field: None,
            reason: reason.into(),
            revision: None,
            limit: None,
            unconfirmed: false,
            source: None,
        }))
    }

    /// [`ErrorKind::NotFound`] for `key`.
    #[must_use]
    pub fn not_found(key: Key) -> Self {
        Self::new(ErrorKind::NotFound, "does not exist").with_key(key)
    }

    /// [`ErrorKind::NotFound`] for `key`, because the flag that should own it does not exist (C6).
    #[must_use]
    pub fn owner_not_found(key: Key) -> Self {
        Self::new(ErrorKind::NotFound, "its flag does not exist; create the flag first")
            .with_key(key)
            .with_field("flag_id")
    }

    /// [`ErrorKind::AlreadyExists`] for `key`.
    #[must_use]
    pub fn already_exists(key: Key) -> Self {
        Self::new(ErrorKind::AlreadyExists, "already exists; update it, or choose another name").with_key(key)
    }

    /// [`ErrorKind::Conflict`] for `key`: its revision is not the expected one.
    #[must_use]
    pub fn conflict(key: Key) -> Self {
        Self::new(ErrorKind::Conflict, "was changed since it was read; read it again and repeat the edit")
            .with_key(key)
    }

    /// [`ErrorKind::Conflict`] for `key`: its alias belongs to another record, or to its former self (C7).
    #[must_use]
    pub fn alias_conflict(key: Key) -> Self {
        let (field, reason) = match key {
            Key::Flag(_) => (
                "id",
                "a flag keeps its id for life, and no two flags share one; keep the id, or delete first",
            ),
            _ => ("name", "the name belongs to another record; choose another one"),
        };
        Self::new(ErrorKind::Conflict, reason).with_key(key).with_field(field)
    }

    /// [`ErrorKind::Closed`].
    #[must_use]
    pub fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the store was closed; open it again")
    }

    /// [`ErrorKind::Unsupported`]: the backend does not declare this capability.
    #[must_use]
    pub fn unsupported(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, reason)
    }

    /// [`ErrorKind::Invalid`]: the request goes past a declared limit (C15).
    #[must_use]
    pub fn over_limit(limit: Limit, actual: usize, allowed: usize) -> Self {
        let mut error =
            Self::new(ErrorKind::Invalid, format!("{limit}: {actual}, at most {allowed} allowed"));
        error.0.limit = Some(limit);
        error
    }

    /// Names the operation that failed, replacing an earlier name: callers know their method by its outermost
    /// name.
    #[must_use]
    pub fn in_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Names the record.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.0.key = Some(key);
        self
    }

    /// Names the member of the record, as a path: `rules[0].rollout_percentage`.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// The revision of the unreadable record, so that it can be replaced or deleted conditionally (C5).
    #[must_use]
    pub fn with_revision(mut self, revision: Revision) -> Self {
        self.0.revision = Some(revision);
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says that more was asked of the write than that it is applied; see
    /// [`is_unconfirmed`](Self::is_unconfirmed).
    #[must_use]
    pub fn as_unconfirmed(mut self) -> Self {
        self.0.unconfirmed = true;
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The method that failed, where it is known.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The record it failed on, where there is one.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.0.key.as_ref()
    }

    /// The member of the record it failed on, where there is one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The sentence that says what is wrong and what to do.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Of a corrupt record: its revision.
    #[must_use]
    pub fn revision(&self) -> Option<&Revision> {
        self.0.revision.as_ref()
    }

    /// Of a request past a limit: which one.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        self.0.limit
    }

    /// Of an indeterminate write: whether reading it back cannot settle it, since more was asked than that it
    /// is applied, such as that replicas or a disk have it.
    #[must_use]
    pub fn is_unconfirmed(&self) -> bool {
        self.0.unconfirmed
    }

    /// Of a conflict: whether it is about the revision, so that reading again and repeating the edit may
    /// help. One about an alias (C7) comes back until the id or the name is another.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.0.kind == ErrorKind::Conflict && self.0.field.is_none()
    }

    /// Whether the very same call, repeated later, may succeed without any risk of applying it twice.
    ///
    /// True for [`ErrorKind::Unavailable`] alone: a conflict wants a fresh read first, and an
    /// indeterminate call may have been applied.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind == ErrorKind::Unavailable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repr = &*self.0;
        if let Some(operation) = repr.operation {
            write!(f, "{operation}{}", if repr.key.is_some() { " " } else { ": " })?;
        }
        if let Some(key) = &repr.key {
            write!(f, "{}: ", OneLine(&key.to_string()))?;
        }
        if let Some(field) = &repr.field {
            write!(f, "{}: ", OneLine(field))?;
        }
        write!(f, "{}", OneLine(&repr.reason))
    }
}

/// Text with its control characters escaped: a key may hold any, and must not write log lines of its own.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            c if c.is_control() => write!(f, "{}", c.escape_debug()),
            c => f.write_char(c),
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repr = &*self.0;
        f.debug_struct("Error")
            .field("kind", &repr.kind)
            .field("message", &self.to_string())
            .field("source", &repr.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
