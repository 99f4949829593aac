//! The conformance suite over several harnesses, in one test program.

use std::process::ExitCode;
use std::sync::Arc;

use flags_conformance::{Arguments, Harness, Outcome};
use libtest_mimic::{Completion, Failed, Trial};

/// A harness, and what its cases are called in front of their own name.
pub type Named = (String, Arc<dyn Harness>);

/// Runs every case over every harness, as a test program's `main`, with the usual arguments.
#[must_use]
pub fn main(harnesses: Vec<Named>) -> ExitCode {
    let trials = harnesses.into_iter().flat_map(|(name, harness)| {
        flags_conformance::cases().map(move |case| {
            let harness = Arc::clone(&harness);
            let run = move || match case.run(&harness) {
                Outcome::Passed => Ok(Completion::Completed),
                Outcome::Ignored(reason) => Ok(Completion::ignored_with(reason)),
                Outcome::Failed(message) => Err(Failed::from(message)),
                outcome => Err(Failed::from(format!("an outcome of a later version: {outcome:?}"))),
            };
            Trial::ignorable_test(format!("{name}::{}", case.name()), run).with_kind(case.clause().as_str())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
