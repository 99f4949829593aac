//! Runs one case: its own thread, its own runtime, a fresh namespace, bounded, cleaned up whatever happens.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::{Builder, Runtime};

use crate::context::Context;
use crate::stop::{Checked, Stop, harness_failed};
use crate::{Case, Harness, Outcome};

/// How long a case may take.
const BOUND: Duration = Duration::from_secs(60);
/// How long cleaning up may take.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// Runs the case against a fresh namespace of the harness.
pub(crate) fn run_case(harness: &Arc<dyn Harness>, case: &'static Case) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    let harness = Arc::clone(harness);
    let spawned = thread::Builder::new().name(case.name().to_owned()).spawn(move || {
        // Nobody waits for it any more if the bound was passed.
        let _ = sender.send(on_this_thread(&*harness, case));
    });
    let ended = match spawned {
        Ok(_) => receiver
            .recv_timeout(BOUND + CLEAN_UP * 2)
            .unwrap_or_else(|_| Err(Stop::failed("a call blocked its thread and never came back"))),
        Err(error) => Err(Stop::failed(format!("no thread to run it on: {error}"))),
    };
    match ended {
        Ok(()) => Outcome::Passed,
        Err(Stop::Ignored(reason)) => Outcome::Ignored(reason),
        Err(Stop::Failed(message)) => {
            Outcome::Failed(format!("{} ({}): {message}", case.clause(), case.clause().title()))
        }
    }
}

fn on_this_thread(harness: &dyn Harness, case: &Case) -> Checked {
    let runtime = runtime(case.threads)?;
    let ended = runtime.block_on(in_namespace(harness, case));
    // Tasks of a backend that never end must not keep the suite.
    runtime.shutdown_timeout(CLEAN_UP);
    ended
}

fn runtime(threads: bool) -> Checked<Runtime> {
    let mut builder = if threads { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    // More threads than cores provoke more interleavings.
    builder
        .worker_threads(4)
        .enable_all()
        .build()
        .map_err(|error| Stop::failed(format!("no runtime to run it on: {error}")))
}

async fn in_namespace(harness: &dyn Harness, case: &Case) -> Checked {
    let opening = tokio::time::timeout(CLEAN_UP, harness.open());
    let namespace = opening
        .await
        .map_err(|_| Stop::failed(format!("the harness opened no namespace within {CLEAN_UP:?}")))?
        .map_err(|error| harness_failed("open a namespace", &error))?;
    let context = Context::new(namespace);
    let body = AssertUnwindSafe((case.body)(&context)).catch_unwind();
    let ended = match tokio::time::timeout(BOUND, body).await {
        Ok(Ok(checked)) => checked,
        Ok(Err(panic)) => Err(Stop::failed(format!("expected no panic, came: {}", message(&*panic)))),
        Err(_) => Err(Stop::failed(format!("expected the case to end within {BOUND:?}"))),
    };
    let cleaning = AssertUnwindSafe(context.namespace().clean_up()).catch_unwind();
    match tokio::time::timeout(CLEAN_UP, cleaning).await {
        Ok(Ok(())) => ended,
        // What the case found is worth more than what the cleaning did.
        _ => ended.and(Err(Stop::failed(format!("the harness did not clean up within {CLEAN_UP:?}")))),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}
