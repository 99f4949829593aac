//! `flags scheduler` and `flags schedule run-due`.

use std::collections::BTreeSet;
use std::time::Duration;

use feature_flags::client::Scheduler;
use feature_flags::client::scheduler::Report;
use feature_flags::storage::Stored;
use feature_flags::{Clock as _, Error, ErrorKind, SystemClock, Timestamp};
use futures_util::future;
use tokio::sync::mpsc;

use super::Session;
use super::complaints::{self, Complaints};
use super::teller::Teller;
use crate::failure::{Exit, Failure};
use crate::interrupt;
use crate::output::{Outcome, count, second};

/// How many records are read at once.
const AT_ONCE: usize = 500;

/// How long what is still to be told may keep a scheduler that was told to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Executes what is due until the process is terminated.
pub(super) async fn run(session: &Session) -> Result<Exit, Failure> {
    let terminated = interrupt::terminated()?;
    session.note_if_lost();
    // First: what breaks once it is said to run is news.
    let complaints = Complaints::known(session).await;
    session.out.note("executing what is due; Ctrl-C ends");
    let mut teller = Teller::start()?;
    let (tell, mut told) = mpsc::unbounded_channel();
    let (complain, mut complained) = mpsc::unbounded_channel();
    let work = async {
        // Moved, so that what is told ends with the work.
        let tell = tell;
        let observe = |ran: &Result<Report, Error>| drop(tell.send(Ran::from(ran)));
        scheduler(session).run_observed(terminated, observe).await.map_err(Failure::from)
    };
    let tell = async {
        let mut known = BTreeSet::new();
        loop {
            let ran = tokio::select! {
                ran = told.recv() => ran,
                Some(warning) = complained.recv() => {
                    let out = session.out;
                    let line = move || {
                        out.warning(&Failure::health(warning));
                        Ok(())
                    };
                    teller.tell(line, move |count| out.note(&untold(count)));
                    continue;
                }
                failure = teller.failed() => return Err(unread(&failure)),
            };
            let Some(ran) = ran else { return Ok(()) };
            for (outcome, record) in with_records(session, ran.outcomes).await {
                let out = session.out;
                let line = move || out.executed(&outcome, record.as_ref()).map(drop);
                teller.tell(line, move |count| out.note(&untold(count)));
            }
            // What goes on being wrong is told once.
            let mut now = BTreeSet::new();
            for failure in ran.failures {
                let what = (failure.key.clone(), failure.message.clone());
                if !known.contains(&what) && !now.contains(&what) {
                    let out = session.out;
                    let line = move || {
                        out.warning(&failure);
                        Ok(())
                    };
                    teller.tell(line, move |count| out.note(&untold(count)));
                }
                now.insert(what);
            }
            known = now;
        }
    };
    tokio::select! {
        done = future::try_join(work, tell) => done?,
        never = complaints::tell(session, complaints, |warning| drop(complain.send(warning))) => match never {},
    };
    teller.finish(LAST_WORDS).await.map_err(|failure| unread(&failure))?;
    Ok(Exit::Ok)
}

/// Nobody sees any more what it does: it is better started again.
fn unread(failure: &Failure) -> Failure {
    let message = format!("the scheduler ends, since its output cannot be written: {}", failure.message);
    Failure::input(message, "what it has executed stays executed; start it again")
}

fn untold(count: usize) -> String {
    format!("{} told to nobody, since nothing was read for a while", self::count(count, "line"))
}

/// Executes once what is due.
pub(super) async fn run_due(session: &Session, at: Option<Timestamp>) -> Result<Exit, Failure> {
    let report = scheduler(session).run_due(at.unwrap_or_else(|| SystemClock.now())).await?;
    let ran = Ran::from(&report);
    let executed = ran.outcomes.len();
    for (outcome, record) in with_records(session, ran.outcomes).await {
        session.out.executed(&outcome, record.as_ref())?;
    }
    for failure in &ran.failures {
        session.out.warning(failure);
    }
    let next = report.next_due.map_or_else(
        || "nothing more is scheduled".to_owned(),
        |at| format!("the next is due at {} UTC", second(at)),
    );
    session.out.note(&format!("{} executed; {next}", count(executed, "record")));
    session.note_if_lost();
    Ok(exit(&report))
}

fn scheduler(session: &Session) -> Scheduler {
    Scheduler::builder(session.store.storage().clone()).build()
}

/// Whether everything that was due could be executed, and why not.
fn exit(report: &Report) -> Exit {
    let unanswered =
        |error: &Error| matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate);
    if report.errors.iter().any(unanswered) {
        Exit::Unavailable
    } else if report.errors.is_empty() && report.refused.is_empty() {
        Exit::Ok
    } else {
        Exit::Failed
    }
}

/// What one run did, as far as it is told.
struct Ran {
    outcomes: Vec<Outcome>,
    failures: Vec<Failure>,
}

impl From<&Report> for Ran {
    fn from(report: &Report) -> Self {
        let applied = report
            .applied
            .iter()
            .map(|applied| Outcome::Applied { key: applied.key.clone(), flag: applied.flag.clone() });
        let refused = report.refused.iter().map(|refused| Outcome::Refused {
            key: refused.key.clone(),
            flag: refused.flag.clone(),
            reason: refused.reason.clone(),
        });
        let settled = report.settled.iter().cloned().map(Outcome::Settled);
        Self {
            outcomes: applied.chain(refused).chain(settled).collect(),
            failures: report.errors.iter().map(Failure::from).collect(),
        }
    }
}

impl From<&Result<Report, Error>> for Ran {
    fn from(outcome: &Result<Report, Error>) -> Self {
        match outcome {
            Ok(report) => Self::from(report),
            Err(error) => Self { outcomes: Vec::new(), failures: vec![Failure::from(error)] },
        }
    }
}

/// What was done, each with its record as it is now.
async fn with_records(session: &Session, outcomes: Vec<Outcome>) -> Vec<(Outcome, Option<Stored>)> {
    let mut told = Vec::with_capacity(outcomes.len());
    let mut outcomes = outcomes.into_iter().peekable();
    while outcomes.peek().is_some() {
        let some: Vec<Outcome> = outcomes.by_ref().take(AT_ONCE).collect();
        let keys: Vec<_> = some.iter().map(|outcome| outcome.key().clone()).collect();
        // It was done, and is told also where the store is gone by now.
        let mut records = session.store.storage().get(&keys).await.unwrap_or_default().into_iter();
        told.extend(some.into_iter().map(|outcome| (outcome, records.next().and_then(Result::ok).flatten())));
    }
    told
}
