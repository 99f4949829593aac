//! Clocks that are set.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use common::{Faulty, builder, flag, override_of, put, text, text_flag, until, until_fresh, user};
use flags_core::{Clock, ManualClock, Timestamp};

/// The system's clock, set by so many seconds, and impatient: its sleeps are a hundredth as long.
#[derive(Debug, Default)]
struct Set(AtomicI64);

#[async_trait::async_trait]
impl Clock for Set {
    fn now(&self) -> Timestamp {
        let seconds = self.0.load(Ordering::SeqCst);
        let by = Duration::from_secs(seconds.unsigned_abs());
        let now = Timestamp::now();
        if seconds < 0 { now.saturating_sub(by) } else { now.saturating_add(by) }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / 100).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_nothing() {
    let clock = Arc::new(Set::default());
    let storage = Faulty::unwatched(clock.clone());
    let mut f = text_flag("f", "1");
    put(&*storage, f.clone()).await;
    let client = builder(&storage)
        .clock(clock.clone())
        .poll_interval(Duration::from_secs(1))
        .start()
        .await
        .expect("started");
    clock.0.store(-3_600, Ordering::SeqCst);
    f.default_value = Some("2".into());
    put(&*storage, f).await;
    until("the next poll", || text(&client, "f") == "2").await;
}

#[tokio::test]
async fn overrides_that_a_wrong_clock_ended_are_back_once_it_is_right() {
    let clock = Arc::new(Set::default());
    let storage = Faulty::new();
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let mut half_an_hour = override_of(f.id, "user", "u", true);
    half_an_hour.expires_at = Some(Timestamp::now().saturating_add(Duration::from_secs(1_800)));
    put(&*storage, half_an_hour).await;
    let client = builder(&storage).clock(clock.clone()).start().await.expect("started");
    until_fresh(&client).await;
    let served = || client.bool_value("f", false, &user("u"));
    assert!(served());
    clock.0.store(3_600, Ordering::SeqCst);
    let held = || client.snapshot().with_instant(Timestamp::now());
    // Something has to happen for the client to look at it now.
    put(&*storage, flag("g", true)).await;
    until("it is dropped", || !held().bool_details("f", false, &user("u")).value).await;
    // And nothing happens from here on.
    clock.0.store(0, Ordering::SeqCst);
    until("it is back", served).await;
    until_fresh(&client).await;
}

#[tokio::test]
async fn a_clock_that_tells_its_sleepers_is_believed_at_once() {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let storage = Faulty::with_clock(Arc::new(clock.clone()));
    let f = flag("f", false);
    put(&*storage, f.clone()).await;
    let mut half_an_hour = override_of(f.id, "user", "u", true);
    half_an_hour.expires_at = Some(clock.now().saturating_add(Duration::from_secs(1_800)));
    put(&*storage, half_an_hour).await;
    let own = ManualClock::at(Timestamp::UNIX_EPOCH);
    let client = builder(&storage).clock(Arc::new(own.clone())).start().await.expect("started");
    let held = || client.snapshot().with_instant(Timestamp::UNIX_EPOCH);
    assert!(held().bool_details("f", false, &user("u")).value);
    own.advance(Duration::from_secs(3_600));
    until("it is dropped", || !held().bool_details("f", false, &user("u")).value).await;
    own.set(Timestamp::UNIX_EPOCH);
    until("it is back", || client.bool_value("f", false, &user("u"))).await;
    until_fresh(&client).await;
}
