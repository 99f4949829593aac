//! The conformance suite over the Redis backend on one server, with each driver.

use flags_redis::Driver;
use flags_tests::over_redis::{Site, over};
use flags_tests::server::Shared;
use flags_tests::suites;

fn main() -> std::process::ExitCode {
    // One server for all cases, also where they run one after the other. The cases say what keeps it from
    // starting.
    let _server = Shared::get();
    let site = || Ok(Site::One);
    suites::main(vec![over("redis-rs", Driver::RedisRs, site), over("fred", Driver::Fred, site)])
}
