//! The shortest intervals that can be set, on a runtime with one thread and with a store that answers
//! at once: whoever waits for nothing lets nobody else run.

mod common;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use common::{Faulty, LONG, flag, put, until};
use flags_client::{Client, Scheduler, Startup};
use flags_core::SystemClock;

/// Runs that on a thread of its own, so that the test ends also where it does not.
fn ends(test: impl Future<Output = ()> + Send + 'static) {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime").block_on(test);
        tell.send(()).expect("somebody waits");
    });
    told.recv_timeout(LONG).expect("it ends, and well");
}

async fn until_listed(storage: &Faulty, times: usize) {
    let before = Faulty::count(&storage.lists);
    until("more listings", || Faulty::count(&storage.lists) >= before + times).await;
}

#[test]
fn a_client_that_polls_all_the_time_lets_others_run() {
    ends(async {
        let storage = Faulty::unwatched(Arc::new(SystemClock));
        put(&*storage, flag("f", true)).await;
        let client = Client::builder(storage.clone()).poll_interval(Duration::ZERO).start();
        let client = client.await.expect("started");
        until_listed(&storage, 10).await;
        client.close().await;
    });
}

#[test]
fn a_client_that_tries_again_all_the_time_lets_others_run() {
    ends(async {
        let storage = Faulty::new();
        storage.set(&storage.reads_fail, true);
        storage.set(&storage.watch_fails, true);
        let client = Client::builder(storage.clone())
            .retry_delays(Duration::ZERO, Duration::ZERO)
            .startup(Startup::ServeDefaults)
            .start()
            .await
            .expect("started");
        until_listed(&storage, 10).await;
        storage.set(&storage.reads_fail, false);
        storage.set(&storage.watch_fails, false);
        client.wait_ready(LONG).await.expect("it is loaded");
    });
}

#[test]
fn a_scheduler_that_looks_all_the_time_lets_others_run() {
    ends(async {
        let storage = Faulty::unwatched(Arc::new(SystemClock));
        let scheduler = Scheduler::builder(storage.clone()).poll_interval(Duration::ZERO).build();
        scheduler.run(until_listed(&storage, 10)).await.expect("it was told to end");
        storage.set(&storage.reads_fail, true);
        let scheduler = Scheduler::builder(storage.clone())
            .retry_delays(Duration::ZERO, Duration::ZERO)
            .poll_interval(LONG)
            .build();
        scheduler.run(until_listed(&storage, 10)).await.expect("it was told to end");
    });
}
