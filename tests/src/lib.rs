//! What the tests across crates share: servers to run against, a proxy that counts, the origin, and a writer to be killed.

pub mod origin;
pub mod proxy;
pub mod server;
pub mod steps;
pub mod suites;
