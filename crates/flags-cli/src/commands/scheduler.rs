//! `flags scheduler` and `flags schedule run-due`.

use std::collections::BTreeSet;

use feature_flags::client::Scheduler;
use feature_flags::client::scheduler::Report;
use feature_flags::{Clock as _, Error, ErrorKind, SystemClock, Timestamp};
use futures_util::future;
use tokio::sync::mpsc;

use super::Session;
use crate::failure::{Exit, Failure};
use crate::interrupt;
use crate::output::{Outcome, count, second};

/// How many records are read at once.
const AT_ONCE: usize = 500;

/// Executes what is due until the process is terminated.
pub(super) async fn run(session: &Session) -> Result<Exit, Failure> {
    let terminated = interrupt::terminated()?;
    session.note_if_lost();
    session.out.note("executing what is due; Ctrl-C ends");
    let scheduler = scheduler(session);
    let (tell, mut told) = mpsc::unbounded_channel();
    let work = async move {
        // Whoever printed it is gone only when this is dropped with it.
        let observe = |ran: &Result<Report, Error>| drop(tell.send(Ran::from(ran)));
        scheduler.run_observed(terminated, observe).await.map_err(Failure::from)
    };
    let print = async {
        let mut known = BTreeSet::new();
        while let Some(ran) = told.recv().await {
            print(session, &ran.outcomes).await?;
            // What goes on being wrong is told once.
            let (mut now, failures) = (BTreeSet::new(), ran.failures);
            for failure in failures {
                let what = (failure.key.clone(), failure.message.clone());
                if !known.contains(&what) && !now.contains(&what) {
                    session.out.warning(&failure);
                }
                now.insert(what);
            }
            known = now;
        }
        Ok(())
    };
    future::try_join(work, print).await?;
    Ok(Exit::Ok)
}

/// Executes once what is due.
pub(super) async fn run_due(session: &Session, at: Option<Timestamp>) -> Result<Exit, Failure> {
    let report = scheduler(session).run_due(at.unwrap_or_else(|| SystemClock.now())).await?;
    let ran = Ran::from(&report);
    print(session, &ran.outcomes).await?;
    for failure in &ran.failures {
        session.out.warning(failure);
    }
    let next = report.next_due.map_or_else(
        || "nothing more is scheduled".to_owned(),
        |at| format!("the next is due at {} UTC", second(at)),
    );
    session.out.note(&format!("{} executed; {next}", count(ran.outcomes.len(), "record")));
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

/// Prints what was done, each with its record as it is now.
async fn print(session: &Session, outcomes: &[Outcome]) -> Result<(), Failure> {
    for outcomes in outcomes.chunks(AT_ONCE) {
        let keys: Vec<_> = outcomes.iter().map(|outcome| outcome.key().clone()).collect();
        // It was done, and is told also where the store is gone by now.
        let mut records = session.store.storage().get(&keys).await.unwrap_or_default().into_iter();
        for outcome in outcomes {
            let record = records.next().and_then(Result::ok).flatten();
            session.out.executed(outcome, record.as_ref())?;
        }
    }
    Ok(())
}
