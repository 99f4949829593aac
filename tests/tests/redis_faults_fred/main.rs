//! The tests of `redis_faults`, over the driver `fred`.

include!("../redis_faults/modules.rs");
