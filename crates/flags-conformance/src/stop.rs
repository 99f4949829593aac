//! [`Stop`]: why a case ended early, and the assertions that end it.

use std::fmt::Debug;

use flags_core::{BoxError, Error};

/// What a case, or a step of it, gives.
pub(crate) type Checked<T = ()> = Result<T, Stop>;

/// Why a case ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The backend broke the clause: what was done, what was expected, what came.
    Failed(String),
    /// The case cannot be run here, and why.
    Ignored(String),
}

impl Stop {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

/// Ends the case with a message.
macro_rules! fail {
    ($($message:tt)+) => { return Err($crate::stop::Stop::failed(format!($($message)+))) };
}
pub(crate) use fail;

/// Ends the case unless the condition holds.
macro_rules! ensure {
    ($holds:expr, $($message:tt)+) => { if !$holds { $crate::stop::fail!($($message)+) } };
}
pub(crate) use ensure;

/// `what` came as it should.
pub(crate) fn equal<T: Debug + PartialEq + ?Sized>(what: &str, came: &T, expected: &T) -> Checked {
    ensure!(came == expected, "{what}: expected {}, came {}", short(expected), short(came));
    Ok(())
}

/// A value for a message: long ones are cut, a megabyte helps nobody.
pub(crate) fn short(value: &(impl Debug + ?Sized)) -> String {
    const MOST: usize = 600;
    let mut text = format!("{value:?}");
    if let Some((cut, _)) = text.char_indices().nth(MOST) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

/// An error of the backend where there should have been none.
pub(crate) fn unexpected(what: &str, error: &Error) -> Stop {
    Stop::failed(format!("{what}: expected success, came {}", describe(error)))
}

/// An error in words, with its kind and its cause.
pub(crate) fn describe(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("the error `{}`: {error} (cause: {cause})", error.kind()),
        None => format!("the error `{}`: {error}", error.kind()),
    }
}

/// The harness itself failed.
pub(crate) fn harness_failed(what: &str, error: &BoxError) -> Stop {
    Stop::failed(format!("the harness could not {what}: {error}"))
}
