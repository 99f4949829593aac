//! What happens in a Redis store is seen by who follows it: the client and the scheduler of
//! `flags-client`, over both drivers.

mod chaos;
mod common;
mod emptied;
mod exactly_once;
mod foreign_writes;
mod late_fetch;
mod outages;
