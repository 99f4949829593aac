//! What a store makes of answers that no real server gives at will.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flags_core::storage::{Batch, Expect};
use flags_core::{ErrorKind, Flag, FlagKey, Record, Result, Storage as _};

use super::RedisStorage;
use crate::driver::fake::{Fake, bulk, list};
use crate::driver::tests::DRIVERS;
use crate::options::{Driver, RedisBuilder};

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
