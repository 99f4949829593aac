//! What a store makes of answers that no real server gives at will.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use flags_core::storage::{Batch, Expect};
use flags_core::{ErrorKind, Flag, FlagKey, Record, Result, Storage as _};

use super::RedisStorage;
use crate::driver::fake::{Fake, bulk, list};
use crate::driver::tests::DRIVERS;
use crate::error::{Failure, Intent, from_failure};
use crate::options::{Driver, RedisBuilder};
use crate::reply::ServerError;

const PATIENCE: Duration = Duration::from_secs(30);

fn run(test: &impl AsyncFn(Driver)) {
    for driver in DRIVERS {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(*driver));
    }
}

/// What a server without data says, which tells nobody of changes.
fn empty(words: &[String]) -> Option<String> {
    let nothing = "*0\r\n".to_owned();
    match words[0].as_str() {
        "TIME" => Some(list(&[bulk("1700000000"), bulk("0")])),
        "MGET" => Some(list(&vec!["$-1\r\n"; words.len() - 1])),
        "SCAN" | "SSCAN" | "ZSCAN" => Some(list(&[bulk("0"), nothing])),
        "SCARD" | "ZCARD" => Some(":0\r\n".to_owned()),
        "HGET" => Some("$-1\r\n".to_owned()),
        "HSETNX" => Some(":1\r\n".to_owned()),
        "EVAL" if words[2] == "4" => Some(nothing),
        "EVAL" | "EVALSHA" => Some(list(&[bulk("ok")])),
        "CLIENT" | "CONFIG" | "INFO" => Some("-ERR unknown command\r\n".to_owned()),
        _ => None,
    }
}

async fn open(driver: Driver, fake: &Fake) -> Result<RedisStorage> {
    let builder = RedisBuilder::server(format!("127.0.0.1:{}", fake.port))?.driver(driver);
    builder.connect_timeout(PATIENCE).command_timeout(PATIENCE).deadline(PATIENCE).open().await
}

fn flag() -> Flag {
    Flag::new(FlagKey::new("a").unwrap())
}

#[test]
fn a_server_that_loads_its_data_is_waited_for_within_the_deadline() {
    run(&async |driver| {
        // Whoever may connect while it loads gets no further.
        let loading = Arc::new(AtomicUsize::new(8));
        let left = Arc::clone(&loading);
        let fake = Fake::start(move |_, words| {
            let handshake = matches!(words[0].as_str(), "HELLO" | "AUTH" | "CLIENT" | "INFO");
            let loads = left.load(Ordering::SeqCst) > 0;
            if handshake || !loads {
                return empty(words);
            }
            left.fetch_sub(1, Ordering::SeqCst);
            Some("-LOADING Redis is loading the dataset in memory\r\n".to_owned())
        })
        .await;
        let store = open(driver, &fake).await.unwrap();
        assert_eq!(loading.load(Ordering::SeqCst), 0, "{driver:?}");
        loading.store(3, Ordering::SeqCst);
        assert_eq!(store.get(&[Record::from(flag()).key()]).await.unwrap().len(), 1);
        loading.store(3, Ordering::SeqCst);
        // Whatever this fake says, it has taken the commit.
        let _ = store.commit(Batch::new().put(flag(), Expect::Any)).await;
        assert_eq!(loading.load(Ordering::SeqCst), 0, "{driver:?}");
        // For ever.
        loading.store(usize::MAX, Ordering::SeqCst);
        let builder = RedisBuilder::server(format!("127.0.0.1:{}", fake.port)).unwrap().driver(driver);
        let error = builder.deadline(Duration::from_millis(500)).open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{driver:?}: {error:?}");
    });
    // A call that ends in the middle of an attempt says that it had no time.
    let error = from_failure(Failure::Unsettled(ServerError::new("LOADING", "")), Intent::Read);
    assert!(error.to_string().contains("loading its data"), "{error}");
}

#[test]
fn a_server_in_protected_mode_says_what_to_do() {
    run(&async |driver| {
        let refusal = "-DENIED Redis is running in protected mode because protected mode is enabled\r\n";
        let fake = Fake::start(move |_, _| Some(refusal.to_owned())).await;
        let error = open(driver, &fake).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{driver:?}: {error:?}");
        assert!(error.to_string().contains("protected-mode"), "{driver:?}: {error}");
        assert_eq!(fake.accepted(), 1, "{driver:?}");
    });
}

#[test]
fn after_an_answer_that_is_none_nothing_more_is_asked_of_that_connection() {
    run(&async |driver| {
        let odd = Arc::new(AtomicBool::new(false));
        let is_odd = Arc::clone(&odd);
        let fake = Fake::start(move |_, words| match words[0].as_str() {
            // Of the right shape, and no more.
            "EVALSHA" if is_odd.load(Ordering::SeqCst) => Some(list(&[bulk("what")])),
            "TIME" if is_odd.load(Ordering::SeqCst) => Some(list(&[bulk("soon"), bulk("0")])),
            _ => empty(words),
        })
        .await;
        let store = open(driver, &fake).await.unwrap();
        let before = fake.accepted();
        odd.store(true, Ordering::SeqCst);
        let error = store.commit(Batch::new().put(flag(), Expect::Any)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{driver:?}: {error:?}");
        assert_eq!(store.get(&[Record::from(flag()).key()]).await.unwrap().len(), 1);
        assert_eq!(fake.accepted(), before + 1, "{driver:?}");
        let error = store.health().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{driver:?}: {error:?}");
        assert_eq!(store.get(&[Record::from(flag()).key()]).await.unwrap().len(), 1);
        assert_eq!(fake.accepted(), before + 2, "{driver:?}");
    });
}
