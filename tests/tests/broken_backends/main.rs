//! Proof that the cases can fail: backends that are wrong in just one way, and the clause that finds each
//! out.
//!
//! Each is the reference backend with one fault. A fault may break several clauses; the table names the one
//! that must notice it.

mod broken;
mod commits;
mod reads;
mod surroundings;

use std::process::ExitCode;
use std::sync::Arc;

use flags_conformance::{Arguments, Clause, Harness, Outcome, check};
use libtest_mimic::{Failed, Trial};

use broken::{Broken, Fault, Sound};

/// What is wrong, and the clause that must notice.
fn table() -> Vec<Trial> {
    use Clause::{C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15};
    vec![
        row("reads lag behind commits, undeclared", C1, reads::Lagging::default),
        row("numbers are rounded on their way", C1, || reads::Rounding),
        row("a refused batch is applied up to the refused operation", C2, || commits::OneByOne),
        row("a get of two records reads them one by one", C2, || reads::Torn),
        row("create overwrites", C3, || commits::OverwritingCreate),
        row("update creates what is missing", C3, || commits::UpsertingUpdate),
        row("stale revisions are written over", C3, || commits::LastWriterWins),
        row("the last failing operation gives the error", C3, || commits::LastFailureWins),
        row("conditions are judged before the lock", C3, || commits::JudgedBeforeTheLock),
        row("two values share a revision", C4, || reads::CoarseRevisions),
        row("a corrupt record is absent", C5, || reads::CorruptIsAbsent),
        row("a corrupt record fails the whole get", C5, || reads::CorruptFailsAll),
        row("deleting a flag leaves what it owns", C6, || commits::NoCascade),
        row("the owner is not looked for", C6, || commits::Orphans),
        row("what is stored may be handed on to no flag", C6, || commits::HandedOnToNoFlag),
        row("what a deleted flag left behind cannot be written again", C6, || commits::UntouchableOrphans),
        row("an alias may be taken twice", C7, || commits::SharedAliases),
        row("nothing ever expires", C8, || surroundings::NoExpiry),
        row("expiry counts whole seconds", C8, || surroundings::WholeSeconds),
        row("a listing dies on a corrupt record", C9, || reads::ListingDies),
        row("a listing repeats a record", C9, || reads::ListingRepeats),
        row("a cache is filled before the commit is judged", C10, commits::EagerCache::default),
        row("the namespace is ignored", C11, || surroundings::OneNamespace),
        row("a watch drops a change", C12, || reads::WatchDrops),
        row("a watch does not tell of deletions", C12, || reads::WatchMissesDeletions),
        row("a dropped commit is half applied", C13, || commits::Interruptible),
        row("a dropped commit leaves its lock", C13, commits::LeakedLock::default),
        row("close does not close", C14, || surroundings::NeverClosed),
        row("a password is in the Debug of the store", C14, surroundings::Leaky::default),
        row("limits are declared and not kept", C15, || surroundings::Unlimited),
        row("a key named twice is taken", C15, || commits::LastOfTwo),
    ]
}

/// The reference backend with a fault is found out by a case of the clause.
fn row<F: Fault>(wrong: &str, clause: Clause, fault: fn() -> F) -> Trial {
    Trial::test(format!("{} notices: {wrong}", clause.as_str()), move || {
        let harness: Arc<dyn Harness> = Arc::new(Broken::harness(fault));
        let noticed = flags_conformance::cases().filter(|case| case.clause() == clause).find_map(|case| {
            match case.run(&harness) {
                Outcome::Failed(message) => Some((case, message)),
                _ => None,
            }
        });
        match noticed {
            Some((case, message)) => {
                println!("{}: {message}", case.name());
                Ok(())
            }
            None => Err(Failed::from(format!("every case of {clause} passed"))),
        }
    })
}

/// The same harness without a fault passes everything, or the table above would prove nothing.
fn sound() -> Trial {
    Trial::test("without a fault every case passes", || {
        let report = check(Broken::harness(|| Sound));
        if report.is_clean() { Ok(()) } else { Err(Failed::from(report.to_string())) }
    })
}

fn main() -> ExitCode {
    let mut trials = table();
    trials.push(sound());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
