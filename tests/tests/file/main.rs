//! A file between processes: rivals, a writer that is killed, a user without permission, a full disk.

mod killed;
mod limits;
mod rivals;
