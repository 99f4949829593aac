//! `flags import`.

use feature_flags::transfer::{Document, ImportAction, ImportMode, ImportPlan};
use feature_flags::{Error, ErrorKind, FlagStore};
use serde::Serialize;

use super::Session;
use crate::args::Import;
use crate::failure::{Exit, Failure};
use crate::output::{Counted, Progress, clean, count, diff};
use crate::{confirm, input};

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    created: usize,
    updated: usize,
    deleted: usize,
    unchanged: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Change>>,
}

#[derive(Serialize)]
struct Change {
    action: &'static str,
    key: String,
}

pub(super) async fn run(session: &Session, import: &Import) -> Result<Exit, Failure> {
    let document = Document::from_json(&input::bytes(&import.file)?)
        .map_err(|error| Failure::from(error).with_hint("a document is what `flags export` prints"))?;
    let plan = session.store.plan_import(&document, import.mode()).await?;
    if import.dry_run {
        return dry_run(session, &plan);
    }
    let [.., deleted] = numbers(&plan);
    let ask = import.mode() == ImportMode::Replace && deleted > 0 && !session.yes;
    if ask {
        confirm::ask(session, &question(&plan))?;
    }
    let total = plan.differences.iter().filter(|d| word(d.action).is_some()).count();
    let progress = Progress::of(total, "records written");
    let store = FlagStore::new(Counted::handle(session.store.storage(), progress.clone()));
    let outcome = if ask {
        // What somebody said yes to, and nothing else.
        store.apply_import(&plan).await
    } else {
        drop(plan);
        store.import(&document, import.mode()).await
    };
    let done = outcome.map_err(|error| stopped(&error, ask, progress.has_begun()))?;
    let report = Report {
        created: done.created,
        updated: done.updated,
        deleted: done.deleted,
        unchanged: done.unchanged,
        changes: None,
    };
    session.note_if_lost();
    print(session, &report, "")
}

/// What to say of an import that ended early.
fn stopped(error: &Error, asked: bool, begun: bool) -> Failure {
    let failure = Failure::from(error);
    if asked && error.kind() == ErrorKind::Conflict {
        failure.with_hint("repeat the command: it asks about what is there now")
    } else if begun {
        // The error is about the batch that failed.
        failure
            .with_hint("what was imported so far is whole and stays; repeat the command to import the rest")
    } else {
        failure
    }
}

/// What is about to happen, in one line.
fn question(plan: &ImportPlan) -> String {
    let [created, updated, deleted] = numbers(plan);
    let rest = if created + updated == 0 {
        String::new()
    } else {
        format!(", create {created} and update {updated}")
    };
    format!("delete {} that the document does not hold{rest}", count(deleted, "record"))
}

/// How many records are created, updated and deleted.
fn numbers(plan: &ImportPlan) -> [usize; 3] {
    let number = |action| plan.with_action(action).count();
    [
        number(ImportAction::Create),
        number(ImportAction::Update) + number(ImportAction::Recreate),
        number(ImportAction::Delete),
    ]
}

/// Says what would change, and changes nothing.
fn dry_run(session: &Session, plan: &ImportPlan) -> Result<Exit, Failure> {
    let [created, updated, deleted] = numbers(plan);
    let report = Report {
        created,
        updated,
        deleted,
        unchanged: plan.differences.len() - created - updated - deleted,
        changes: session.out.is_json().then(|| changes(plan)),
    };
    if !session.out.is_json() {
        for difference in &plan.differences {
            let Some(word) = word(difference.action) else { continue };
            let mut text = format!("{word} {}\n", clean(&difference.key.to_string()));
            if matches!(difference.action, ImportAction::Update | ImportAction::Recreate) {
                text.push_str(&diff(difference.before.as_ref(), difference.after.as_ref(), false)?);
            }
            session.out.text(&text)?;
        }
    }
    print(session, &report, "would be ")
}

fn print(session: &Session, report: &Report, would_be: &str) -> Result<Exit, Failure> {
    if session.out.is_json() {
        return session.out.value(report);
    }
    session.out.note(&format!(
        "{would_be}created {}, updated {}, deleted {}; unchanged {}",
        report.created, report.updated, report.deleted, report.unchanged
    ));
    Ok(Exit::Ok)
}

fn changes(plan: &ImportPlan) -> Vec<Change> {
    let change = |d: &feature_flags::transfer::Difference| {
        Some(Change { action: word(d.action)?, key: d.key.to_string() })
    };
    plan.differences.iter().filter_map(change).collect()
}

/// What an action is called, if it changes anything.
fn word(action: ImportAction) -> Option<&'static str> {
    Some(match action {
        ImportAction::Create => "create",
        ImportAction::Update => "update",
        ImportAction::Recreate => "recreate",
        ImportAction::Delete => "delete",
        _ => return None,
    })
}
