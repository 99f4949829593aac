//! What the tests across crates share: servers to run against, alone and in groups, a proxy that counts, the
//! origin, and a writer to be killed; what a client serves against what its store holds.

pub mod cluster;
pub mod killed;
pub mod live;
pub mod monitor;
pub mod origin;
pub mod over_redis;
pub mod proxy;
pub mod sentinel;
pub mod server;
pub mod steps;
pub mod suites;
pub mod trouble;
pub mod wait;
