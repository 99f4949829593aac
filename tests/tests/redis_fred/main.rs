//! The tests of `redis`, over the driver `fred`.

include!("../redis/modules.rs");
