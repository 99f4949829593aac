//! The groups of servers that other tests start: that they do what those rely on.

mod cluster;
mod sentinel;
