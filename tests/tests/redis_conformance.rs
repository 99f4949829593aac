//! The conformance suite over the Redis backend on one server, with each driver.

use flags_redis::Driver;
use flags_tests::over_redis::{Site, over};
use flags_tests::suites;

fn main() -> std::process::ExitCode {
    let site = || Ok(Site::One);
    suites::main(vec![over("redis-rs", Driver::RedisRs, site), over("fred", Driver::Fred, site)])
}
