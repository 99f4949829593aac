//! The ways to run the suite.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};

use crate::cases;
use crate::{Case, Harness, Outcome, Report};

/// Runs the suite as a test binary's `main`, with the usual arguments: filters, `--list`, `--test-threads`.
#[must_use]
pub fn main(harness: impl Harness) -> ExitCode {
    run(harness, &Arguments::from_args()).exit_code()
}

/// Runs the suite as `cargo test` would, and prints what came. What cannot be run shows as ignored, with the reason.
pub fn run(harness: impl Harness, arguments: &Arguments) -> Conclusion {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let trials = cases::all().map(|case| trial(&harness, case)).collect();
    libtest_mimic::run(arguments, trials)
}

fn trial(harness: &Arc<dyn Harness>, case: &'static Case) -> Trial {
    let harness = Arc::clone(harness);
    Trial::ignorable_test(case.name(), move || match case.run(&harness) {
        Outcome::Passed => Ok(Completion::Completed),
        Outcome::Ignored(reason) => Ok(Completion::ignored_with(reason)),
        Outcome::Failed(message) => Err(Failed::from(message)),
    })
    .with_kind(case.clause().as_str())
}

/// Runs every case, one after the other, and prints nothing.
pub fn check(harness: impl Harness) -> Report {
    check_where(harness, |_| true)
}

/// Runs the cases that are wanted, one after the other, and prints nothing.
pub fn check_where(harness: impl Harness, wanted: impl Fn(&Case) -> bool) -> Report {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let chosen = cases::all().filter(|case| wanted(case));
    Report::new(chosen.map(|case| (case, case.run(&harness))).collect())
}
