//! Side by side with the origin: Python's litestar-flags and our store on one server, under one prefix.

mod common;
mod conflicts;
mod defects;
mod expiry;
mod killed;
mod members;
mod mixed;
mod ours;
mod readme;
mod theirs;
mod values;
