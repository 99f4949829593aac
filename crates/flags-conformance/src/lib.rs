#![doc = include_str!("../GUIDE.md")]

mod case;
mod cases;
mod clause;
mod context;
mod harness;
mod model;
mod outcome;
mod records;
mod runner;
mod stop;
mod store;
mod suite;
mod watching;

pub use case::Case;
pub use cases::all as cases;
pub use clause::Clause;
pub use harness::{Harness, Namespace, Offered};
pub use libtest_mimic::{Arguments, Conclusion};
pub use outcome::{Outcome, Report};
pub use suite::{check, check_where, main, run};
