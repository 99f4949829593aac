//! JSON values kept as the exact text they came in.

mod scan;
mod text;

pub use scan::depth;
pub use text::{InvalidJson, Json, JsonType};
