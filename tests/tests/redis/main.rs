//! The Redis backend against a real server: what the conformance suite, which knows no server, cannot see.

include!("modules.rs");
