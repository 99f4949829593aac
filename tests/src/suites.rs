//! The conformance suite over several harnesses, in one test program.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use flags_conformance::{Arguments, Harness, Outcome};
use libtest_mimic::{Completion, Failed, Trial};

/// A harness, made when one of its cases is to run, and what its cases are called in front of their own name.
pub struct Suite {
    name: String,
    harness: Box<dyn FnOnce() -> Result<Arc<dyn Harness>>>,
}

impl std::fmt::Debug for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Suite {
    /// The cases over that harness.
    pub fn new(name: &str, harness: impl FnOnce() -> Result<Arc<dyn Harness>> + 'static) -> Self {
        Self { name: name.to_owned(), harness: Box::new(harness) }
    }

    fn trials(self, arguments: &Arguments) -> Vec<Trial> {
        let named = |case: &flags_conformance::Case| format!("{}::{}", self.name, case.name());
        let wanted = |name: &str| arguments.filter.as_ref().is_none_or(|filter| name.contains(filter));
        let runs = !arguments.list && flags_conformance::cases().any(|case| wanted(&named(case)));
        let harness = if runs { Some((self.harness)()) } else { None };
        let harness = match harness.transpose() {
            Ok(harness) => harness,
            Err(error) => {
                let failed = move || Err(Failed::from(format!("{error:#}")));
                return vec![Trial::test(format!("{}::starts", self.name), failed)];
            }
        };
        let trial = |case: &'static flags_conformance::Case| {
            let harness = harness.clone();
            let run = move || match harness.map(|harness| case.run(&harness)) {
                Some(Outcome::Passed) => Ok(Completion::Completed),
                Some(Outcome::Ignored(reason)) => Ok(Completion::ignored_with(reason)),
                Some(Outcome::Failed(message)) => Err(Failed::from(message)),
                outcome => Err(Failed::from(format!("an outcome of a later version: {outcome:?}"))),
            };
            let name = format!("{}::{}", self.name, case.name());
            Trial::ignorable_test(name, run).with_kind(case.clause().as_str())
        };
        flags_conformance::cases().map(trial).collect()
    }
}

/// Runs every case over every harness, as a test program's `main`, with the usual arguments.
#[must_use]
pub fn main(suites: Vec<Suite>) -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = suites.into_iter().flat_map(|suite| suite.trials(&arguments)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
