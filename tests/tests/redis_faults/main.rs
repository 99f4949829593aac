//! Every operation of the typed API, over Redis, with every fault at every command and every reply.
//!
//! Whatever happens, the store is in the state before or in the state after, and the outcome says which where
//! it says so: `Ok` is after, `Unavailable` before, `Indeterminate` either, and only of a write. The handle
//! works again afterwards.

include!("modules.rs");
