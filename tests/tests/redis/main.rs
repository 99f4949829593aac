//! The Redis backend against a real server: what the conformance suite, which knows no server, cannot see.

mod adversity;
mod budgets;
mod common;
mod expiry;
mod foreign;
mod inspection;
mod outages;
mod ownership;
mod permissions;
mod review;
mod scans;
mod tls;
mod wire;
