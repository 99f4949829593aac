//! The file on a real disk: what the conformance suite, which knows no file, cannot see.

mod broken;
mod common;
mod contention;
mod following;
#[cfg(unix)]
mod lock;
mod refusals;
mod text;
