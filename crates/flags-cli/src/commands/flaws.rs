//! What the store itself knows to be wrong with the way its records are kept.

use std::collections::HashMap;

use feature_flags::storage::{Finding, Flaw, Remedy};
use feature_flags::{ErrorKind, Kind, inspect};

use super::Session;
use super::doctor::{Report, Severity};
use crate::failure::Failure;
use crate::output::Progress;

/// Adds what an inspection of the store finds, and mends it if it should.
pub(super) async fn find(session: &Session, repair: bool, report: &mut Report) -> Result<(), Failure> {
    let progress = Progress::counting("flaws of indexes");
    let mut findings = Vec::new();
    let mut overrides: HashMap<Remedy, usize> = HashMap::new();
    let found = |finding: Finding| {
        progress.add(1);
        if is_foreign_override(&finding) {
            *overrides.entry(finding.remedy).or_default() += 1;
        } else {
            findings.push(finding);
        }
    };
    match inspect(&session.url, repair, found).await {
        // What the records say can be looked at nevertheless.
        Err(error) if error.kind() == ErrorKind::Denied && !repair => {
            report.add(Severity::Warning, "not_inspected", None, error.reason().to_owned(), None);
        }
        outcome => outcome?,
    }
    // The store is read in no order.
    findings.sort_by_cached_key(|finding| {
        (finding.flaw.as_str(), finding.key.as_ref().map(ToString::to_string), finding.place.clone())
    });
    for finding in findings {
        let key = finding.key.as_ref().map(ToString::to_string);
        let message = format!("{}: {}", finding.place, finding.flaw);
        let (severity, hint) = (severity(finding.remedy, finding.flaw), hint(finding.remedy, finding.flaw));
        report.add(severity, finding.flaw.as_str(), key, message, hint.map(str::to_owned));
    }
    for (remedy, missing) in overrides {
        let entries = if missing == 1 { "1 entry is".to_owned() } else { format!("{missing} entries are") };
        let message = format!("overrides: {entries} missing from the indexes");
        let (severity, hint) = (severity(remedy, Flaw::Unindexed), hint(remedy, Flaw::Unindexed));
        report.add(severity, Flaw::Unindexed.as_str(), None, message, hint.map(str::to_owned));
    }
    Ok(())
}

/// The origin enters none of its overrides, and may have written any number of them: they are told as one.
fn is_foreign_override(finding: &Finding) -> bool {
    finding.flaw == Flaw::Unindexed && finding.key.as_ref().is_some_and(|key| key.kind() == Kind::Override)
}

fn severity(remedy: Remedy, flaw: Flaw) -> Severity {
    match (remedy, flaw) {
        (Remedy::Mended, _) => Severity::Repaired,
        (_, Flaw::SharedAlias | Flaw::WrongType) => Severity::Error,
        _ => Severity::Warning,
    }
}

fn hint(remedy: Remedy, flaw: Flaw) -> Option<&'static str> {
    match (remedy, flaw) {
        (Remedy::Mended, _) => None,
        (Remedy::Mendable, Flaw::Unindexed) => Some(
            "another library may have written it; flags doctor --repair enters it, which foreign=index needs",
        ),
        (Remedy::Mendable, _) => Some("flags doctor --repair removes the entry"),
        (Remedy::Changed, _) => Some("it changed meanwhile; look again"),
        (_, Flaw::SharedAlias) => Some("give one of the two another id or name, or delete it"),
        (_, Flaw::WrongType) => Some("move the other data away, or let this store use another prefix"),
        _ => None,
    }
}
