//! The ways to run the suite.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};

use crate::cases;
use crate::{Case, Harness, Outcome, Report};

/// Runs the suite as a test binary's `main`, with the usual arguments: filters, `--list`, `--test-threads`.
#[must_use]
pub fn main(harness: impl Harness) -> ExitCode {
    run(harness, &Arguments::from_args()).exit_code()
}

/// Runs the suite as `cargo test` would, and prints what came. What cannot be run shows as ignored, with the
/// reason.
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

/// Runs every case, some at a time, and prints nothing.
pub fn check(harness: impl Harness) -> Report {
    check_where(harness, |_| true)
}

/// Runs the cases that are wanted, some at a time, and prints nothing.
pub fn check_where(harness: impl Harness, wanted: impl Fn(&Case) -> bool) -> Report {
    /// Cases mostly wait.
    const AT_A_TIME: usize = 4;
    let harness: Arc<dyn Harness> = Arc::new(harness);
    let chosen: Vec<&'static Case> = cases::all().filter(|case| wanted(case)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        while let Some((place, case)) = take(&chosen, &next) {
            outcomes.push((place, case, case.run(&harness)));
        }
        outcomes
    };
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        // A case's panic is its outcome: workers do not panic.
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    });
    outcomes.sort_by_key(|(place, ..)| *place);
    Report::new(outcomes.into_iter().map(|(_, case, outcome)| (case, outcome)).collect())
}

/// The next case that nobody has taken.
fn take(chosen: &[&'static Case], next: &AtomicUsize) -> Option<(usize, &'static Case)> {
    let place = next.fetch_add(1, Ordering::Relaxed);
    chosen.get(place).map(|case| (place, *case))
}
