//! Clusters whose slots move and masters that die, under load, with each driver.

mod common;
mod concern;
mod failover;
mod load;
mod refused;
mod resharding;
mod watching;
