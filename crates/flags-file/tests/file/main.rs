//! The file on a real disk: what the conformance suite, which knows no file, cannot see.

mod broken;
mod common;
mod contention;
mod following;
mod refusals;
mod text;
