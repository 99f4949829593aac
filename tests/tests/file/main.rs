//! A file between processes, and under a client: rivals, a writer that is killed, a user without
//! permission, a full disk.

mod client;
mod killed;
mod limits;
mod rivals;
