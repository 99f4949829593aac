//! `flags doctor`.

use std::collections::BTreeMap;

use feature_flags::engine::{Ruleset, Semantics, Subject};
use feature_flags::storage::{Flaw, Query, Stored};
use feature_flags::validate::{Problem, Validate as _};
use feature_flags::{Key, Kind, Record, SegmentId};
use serde::Serialize;

use super::flaws;
use super::orphans::{Orphans, Why};
use super::{Session, listing};
use crate::failure::{Exit, Failure};
use crate::output::{Progress, clean, count};

/// One thing that somebody should look at.
#[derive(Serialize)]
struct Finding {
    severity: Severity,
    /// What is wrong, as one word.
    kind: &'static str,
    key: Option<String>,
    message: String,
    /// The next step.
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Error,
    Warning,
    Repaired,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Repaired => "repaired",
        }
    }
}

/// What `--json` prints.
#[derive(Serialize, Default)]
pub(super) struct Report {
    /// How many records of each kind were looked at.
    checked: BTreeMap<&'static str, usize>,
    findings: Vec<Finding>,
}

pub(super) async fn run(session: &Session, repair: bool) -> Result<Exit, Failure> {
    let mut report = Report::default();
    // First, so that what was missing from an index is looked at as well.
    flaws::find(session, repair, &mut report).await?;
    for warning in session.store.health_check().await?.warnings {
        report.add(Severity::Warning, "health", None, warning, None);
    }
    let mut examined = Examined::default();
    if report.has(Flaw::WrongType.as_str()) {
        // It may be in the place of a flag, or of the list of them.
        examined.orphans.doubt();
    }
    let progress = Progress::counting("records checked");
    for kind in Kind::ALL {
        let (mut checked, mut corrupt) = (0, Vec::new());
        let look = |stored: Stored| {
            checked += 1;
            examined.look(&stored.record, &mut report);
            Ok(())
        };
        match listing::each(session, Query::All(kind), &progress, look, |error| corrupt.push(error)).await {
            // Known already; the other kinds can be looked at.
            Err(failure) if report.has(Flaw::WrongType.as_str()) => {
                let message = format!("{kind}s: {}", failure.message);
                report.add(Severity::Error, "not_checked", None, message, None);
                continue;
            }
            outcome => outcome?,
        }
        report.checked.insert(kind.as_str(), checked + corrupt.len());
        for error in corrupt {
            examined.orphans.unreadable(&error);
            let key = error.key().map(ToString::to_string);
            let failure = Failure::from(error);
            report.add(Severity::Error, "corrupt", key, failure.message, Some(WRITE_OVER.to_owned()));
        }
    }
    drop(progress);
    examined.segments(&mut report);
    examined.compiled(&mut report);
    let ownerless = examined.orphans.found(session).await?;
    let severity = match ownerless.why {
        Why::Missing => Severity::Error,
        Why::Unknown => Severity::Warning,
    };
    for key in &ownerless.keys {
        let failure = ownerless.why.about(key);
        report.add(severity, failure.kind, failure.key, failure.message, failure.hint);
    }
    print(session, &report)
}

const WRITE_OVER: &str = "delete it, or write it anew; an export from before holds what it was";

impl Report {
    pub(super) fn add(
        &mut self,
        severity: Severity,
        kind: &'static str,
        key: Option<String>,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.findings.push(Finding { severity, kind, key, message: message.into(), hint });
    }

    fn has(&self, kind: &str) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }

    fn number(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// What has to be remembered of a record once the next one is looked at.
#[derive(Default)]
struct Examined {
    orphans: Orphans,
    segments: BTreeMap<SegmentId, (String, Option<SegmentId>)>,
    /// Everything that decisions are made of, but for the overrides, which always compile.
    rules: Vec<Record>,
}

impl Examined {
    fn look(&mut self, record: &Record, report: &mut Report) {
        self.orphans.look(record);
        if matches!(record, Record::Flag(_) | Record::TimeSchedule(_) | Record::Segment(_)) {
            self.rules.push(record.clone());
        }
        if let Record::Segment(segment) = record {
            self.segments.insert(segment.id, (segment.name.to_string(), segment.parent_segment_id));
        }
        for problem in problems(record) {
            report.add(
                Severity::Warning,
                "invalid",
                Some(record.key().to_string()),
                problem.to_string(),
                Some("correct it with update; until then it is used as it is".to_owned()),
            );
        }
    }

    /// Segments whose ancestors do not end.
    fn segments(&self, report: &mut Report) {
        for (id, (name, parent)) in &self.segments {
            let key = Some(Key::Segment(*id).to_string());
            if parent.is_some_and(|parent| !self.segments.contains_key(&parent)) {
                let message = format!("the parent of {name:?} does not exist, so nobody is in it");
                let hint = "give it another parent_segment_id, or null".to_owned();
                report.add(Severity::Warning, "missing_parent", key, message, Some(hint));
            } else if self.is_own_ancestor(*id) {
                let message = format!("{name:?} is its own ancestor, so nobody is in it");
                let hint = "set the parent_segment_id of one of the cycle to null".to_owned();
                report.add(Severity::Error, "cycle", key, message, Some(hint));
            }
        }
    }

    /// What does not mean what it seems to, once it is compiled; nothing that was found already.
    fn compiled(&self, report: &mut Report) {
        let rules = self.rules.iter().cloned();
        let ruleset = rules.fold(Ruleset::builder(Semantics::Compat), |builder, record| match record {
            Record::Flag(flag) => builder.flag(flag),
            Record::TimeSchedule(schedule) => builder.time_schedule(schedule),
            Record::Segment(segment) => builder.segment(segment),
            _ => builder,
        });
        for diagnostic in ruleset.build().diagnostics() {
            let key = match &diagnostic.subject {
                Subject::Flag(key) => Some(format!("flag:{key}")),
                Subject::Segment(name) => {
                    let named = self.segments.iter().find(|(_, (known, _))| known == name);
                    named.map(|(id, _)| Key::Segment(*id).to_string())
                }
                _ => None,
            };
            if report.findings.iter().all(|finding| finding.key != key) {
                let message = format!("{}: {}", diagnostic.place, diagnostic.message);
                let hint = "correct it with update; flags eval --explain shows what it does".to_owned();
                report.add(Severity::Warning, "not_compiled", key, message, Some(hint));
            }
        }
    }

    fn is_own_ancestor(&self, id: SegmentId) -> bool {
        let parent = |id: &SegmentId| self.segments.get(id).and_then(|(_, parent)| *parent);
        // A cycle further up comes round as often as there are segments, and never to this one.
        std::iter::successors(parent(&id), parent).take(self.segments.len()).any(|ancestor| ancestor == id)
    }
}

fn problems(record: &Record) -> Vec<Problem> {
    match record {
        Record::Flag(flag) => flag.problems(),
        Record::Override(one) => one.problems(),
        Record::ScheduledChange(change) => change.problems(),
        Record::TimeSchedule(window) => window.problems(),
        Record::RolloutPhase(phase) => phase.problems(),
        Record::Segment(segment) => segment.problems(),
        _ => Vec::new(),
    }
}

fn print(session: &Session, report: &Report) -> Result<Exit, Failure> {
    let errors = report.number(Severity::Error);
    let exit = if errors == 0 { Exit::Ok } else { Exit::Failed };
    if session.out.is_json() {
        let printed = session.out.value(report);
        return if errors == 0 { printed } else { Ok(exit) };
    }
    let mut text = String::new();
    for finding in &report.findings {
        let severity = finding.severity.word();
        let key = finding.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        text.push_str(&format!("{}\n", clean(&format!("{severity}: {key}{}", finding.message))));
        if let Some(hint) = &finding.hint {
            text.push_str(&format!("  hint: {}\n", clean(hint)));
        }
    }
    let checked: usize = report.checked.values().sum();
    let warnings = report.number(Severity::Warning);
    text.push_str(&format!(
        "{} checked: {}, {}",
        count(checked, "record"),
        count(errors, "error"),
        count(warnings, "warning")
    ));
    match report.number(Severity::Repaired) {
        0 => text.push('\n'),
        repaired => text.push_str(&format!(", {repaired} repaired\n")),
    }
    let printed = session.out.text(&text);
    // What was found counts, also where nobody reads it.
    if errors == 0 { printed } else { Ok(exit) }
}
