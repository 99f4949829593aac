//! What the tests across crates share: servers to run against, and a proxy that counts.

pub mod proxy;
pub mod server;
