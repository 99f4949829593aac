//! What the tests across crates share: servers to run against, alone and in groups, a proxy that counts, the origin, and a writer to be killed.

pub mod cluster;
pub mod origin;
pub mod over_redis;
pub mod proxy;
pub mod sentinel;
pub mod server;
pub mod steps;
pub mod suites;
pub mod wait;
