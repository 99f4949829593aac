//! Failures of drivers and answers of servers, mapped to the project's errors: once, here.

use std::sync::Arc;

use flags_core::{BoxError, Error, ErrorKind};

use crate::reply::{ServerError, Unexpected, Useless};

/// Why a driver has no answer. Says nothing of a client library's types.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Failure {
    /// No connection: certainly not sent.
    #[error("not connected")]
    NotSent(#[source] Cause),
    /// Handed to a connection, and not answered.
    #[error("not answered")]
    Unanswered(#[source] Cause),
    /// The server refused the connection, in its own words.
    #[error("refused")]
    Refused(#[source] ServerError),
    /// The servers were changing which of them serves the store until the time was up; in the words of the
    /// last.
    #[error("unsettled")]
    Unsettled(#[source] ServerError),
    /// The store was closed.
    #[error("closed")]
    Closed,
}

/// What a client library, the operating system or a timer said.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Cause {
    #[error("no answer within {0:?}")]
    Timeout(std::time::Duration),
    #[error("cannot connect to {to}")]
    Connect { to: String, source: Arc<BoxError> },
    /// Who knows where the server is does not name one.
    #[error("{0}")]
    Astray(String),
    /// By the name of the command.
    #[error("what came in answer to {0} is no answer to it")]
    OutOfStep(String),
    #[error("the connection broke")]
    Broken(#[source] Arc<BoxError>),
}

impl Cause {
    pub(crate) fn broken(source: impl Into<BoxError>) -> Self {
        Self::Broken(Arc::new(source.into()))
    }
}

/// What becomes of a call that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    Read,
    Write,
}

pub(crate) fn from_failure(failure: Failure, intent: Intent) -> Error {
    match failure {
        Failure::NotSent(cause) => Error::new(
            ErrorKind::Unavailable,
            "the server could not be reached, nothing was changed; check that it runs and that the URL is right",
        )
        .with_source(cause),
        Failure::Unanswered(cause @ Cause::OutOfStep(_)) if intent == Intent::Read => no_redis().with_source(cause),
        Failure::Unanswered(cause) => unanswered(intent).with_source(cause),
        Failure::Refused(error) => from_server(error),
        // Of one server that was named nothing else is waited for.
        Failure::Unsettled(error) if error.code == "LOADING" => from_server(error),
        Failure::Unsettled(error) => Error::new(
            ErrorKind::Unavailable,
            "the servers are changing which of them serves this store; nothing was changed, try again",
        )
        .with_source(error),
        Failure::Closed => Error::closed(),
    }
}

/// Why the store is not followed.
pub(crate) fn from_following(failure: Failure) -> Error {
    match failure {
        Failure::Refused(error) if error.code == "NOPERM" => {
            let missing = if error.message.contains("channel") {
                "the channel &__redis__:invalidate"
            } else {
                "+client|tracking, and with the driver fred also +client|id +subscribe &__redis__:invalidate"
            };
            let reason = format!("the server does not tell this user of changes; grant {missing}");
            Error::new(ErrorKind::Denied, reason).with_source(error)
        }
        failure => from_failure(failure, Intent::Read),
    }
}

/// The call was given up after its deadline; `handed` says whether a connection had it, `scans` whether it
/// was scanning keys.
pub(crate) fn past_deadline(deadline: std::time::Duration, handed: bool, scans: bool) -> Error {
    let error = if handed {
        unanswered(Intent::Write)
    } else if scans {
        Error::new(
            ErrorKind::Unavailable,
            "the server did not answer in time while its keys were scanned, nothing was changed; open the store with \
             foreign=index if nothing else writes to it, which needs no scan",
        )
    } else {
        Error::new(ErrorKind::Unavailable, "the server did not answer in time; nothing was changed")
    };
    error.with_source(Cause::Timeout(deadline))
}

fn unanswered(intent: Intent) -> Error {
    match intent {
        Intent::Read => {
            Error::new(ErrorKind::Unavailable, "the server did not answer; check its load and the network")
        }
        Intent::Write => Error::new(
            ErrorKind::Indeterminate,
            "the server did not answer, and the commit may have been applied; read back before repeating it",
        ),
    }
}

pub(crate) fn from_useless(useless: Useless) -> Error {
    match useless {
        Useless::Server(error) => from_server(error),
        Useless::Shape(shape) => no_redis().with_source(shape),
    }
}

fn no_redis() -> Error {
    Error::new(ErrorKind::Unavailable, "the server answers as Redis does not; check what the URL leads to")
}

/// Whether it comes of an answer that the command does not have. Whoever gave it cannot be trusted with the
/// next one.
pub(crate) fn is_out_of_step(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<Unexpected>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// An error that the server answered: the command was not carried out.
///
/// Where the store is in a cluster, what a cluster says of where to go never comes here.
pub(crate) fn from_server(error: ServerError) -> Error {
    let (kind, reason) = match error.code.as_str() {
        "DENIED" => (
            ErrorKind::Denied,
            "the server is in protected mode, and lets nobody in from elsewhere; give it a password or users, or set \
             protected-mode no where the network protects it",
        ),
        _ if error.is_denial() => {
            (ErrorKind::Denied, "the server refused this user; check the password and the user's permissions")
        }
        "READONLY" => (ErrorKind::Unavailable, "the server is a read-only replica; connect to its primary"),
        "OOM" => (ErrorKind::Unavailable, "the server is out of memory; raise maxmemory or remove data"),
        "MISCONF" => {
            (ErrorKind::Unavailable, "the server cannot persist and refuses writes; look at its disk")
        }
        "LOADING" => (ErrorKind::Unavailable, "the server is still loading its data; try again"),
        "BUSY" => (ErrorKind::Unavailable, "the server is busy with another script; try again"),
        "NOREPLICAS" => (ErrorKind::Unavailable, "too few replicas follow the server; try again"),
        "MASTERDOWN" => (ErrorKind::Unavailable, "the replica has lost its primary; try again"),
        "MOVED" | "ASK" | "CROSSSLOT" | "TRYAGAIN" | "CLUSTERDOWN" => (
            ErrorKind::Unsupported,
            "the server is part of a cluster; write redis+cluster://host:port, and a prefix with a hash tag, such as \
             {feature_flags}:",
        ),
        _ if error.message.contains("cluster support disabled") => {
            (ErrorKind::Unsupported, "the server is not part of a cluster; write redis://host:port")
        }
        // Not `Corrupt`, which in a listing stands for one record and is followed by the rest.
        _ if error.is_full() => (
            ErrorKind::Unavailable,
            "the server has as many clients as it takes; close some, or raise maxclients, and try again",
        ),
        _ if error.message.contains("DB index is out of range") => (
            ErrorKind::Invalid,
            "the server has no database of that number; choose a lower one, or raise databases",
        ),
        _ if error.is_unknown_command() => (
            ErrorKind::Unsupported,
            "the server has no such command; it is older than Redis 6.2, or the command is renamed, or something stands in front \
             of it that does not pass it on",
        ),
        "WRONGTYPE" => (
            ErrorKind::Unavailable,
            "a key of this store holds another type; move the other data away or choose another prefix",
        ),
        _ => (ErrorKind::Unavailable, "the server refused the command; see the cause"),
    };
    Error::new(kind, reason).with_source(error)
}
