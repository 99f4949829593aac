//! The binary, driven from outside: what it prints, what it ends with, what it leaves in the store.
//!
//! Transcripts are snapshots: `INSTA_UPDATE=always cargo test -p flags-cli` writes them anew, and the
//! difference shows what changed for users.

mod cli;
mod eval;
mod file;
mod guards;
mod hostile;
mod interrupted;
mod memory;
mod orphans;
mod partial;
mod readme;
mod redis;
mod scheduler;
mod terminal;
mod together;
mod watch;
