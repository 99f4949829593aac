//! What other tests put around the store, groups of servers and a proxy with faults: that it does what those
//! rely on.

mod cluster;
mod fault_proxy;
mod sentinel;
