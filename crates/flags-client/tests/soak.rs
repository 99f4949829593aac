//! Many changes, with the watch cut and reads failing at random: at the end the replica is what the store is.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Faulty, builder, override_of, put, text_flag, until, until_fresh, user};
use flags_client::Client;
use flags_core::storage::{Batch, Change, Expect};
use flags_core::{Flag, FlagKey, FlagStore, Key, Storage};

const FLAGS: usize = 20;
const CHANGES: usize = 2_000;

fn random(below: usize) -> usize {
    fastrand::usize(..below)
}

/// What every flag answers to everyone who has an override somewhere, by the store itself.
async fn truth(storage: &Faulty) -> Vec<(FlagKey, Vec<String>)> {
    let document =
        FlagStore::new(std::sync::Arc::new(storage.inner.clone())).export().await.expect("exported").document;
    let mut builder = flags_engine::Ruleset::builder(flags_engine::Semantics::Compat);
    for flag in &document.flags {
        builder = builder.flag(flag.clone());
    }
    for one in &document.overrides {
        builder = builder.flag_override(one.clone());
    }
    let ruleset = builder.build();
    let answer = |flag: &Flag, id: usize| {
        let context = user(&id.to_string());
        let details = ruleset.evaluator(&context, flags_core::Timestamp::now());
        details.string(flag.key.as_str(), "absent").value.to_owned()
    };
    document
        .flags
        .iter()
        .map(|flag| (flag.key.clone(), (0..3).map(|id| answer(flag, id)).collect()))
        .collect()
}

fn served(client: &Client) -> Vec<(FlagKey, Vec<String>)> {
    let keys = client.all(&user("0")).into_keys();
    let answer =
        |key: &FlagKey, id: usize| client.string_value(key.as_str(), "absent", &user(&id.to_string()));
    keys.map(|key| (key.clone(), (0..3).map(|id| answer(&key, id)).collect())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replica_is_the_store_in_the_end() {
    let storage = Faulty::new();
    let mut flags: Vec<Flag> = (0..FLAGS).map(|n| text_flag(&format!("f{n:02}"), "0")).collect();
    for flag in &flags {
        put(&*storage, flag.clone()).await;
    }
    let client = builder(&storage).poll_interval(Duration::from_millis(50)).start().await.expect("started");
    let mut lost = false;
    for change in 0..CHANGES {
        let flag = flags.get_mut(random(FLAGS)).expect("a flag");
        let key = Key::Flag(flag.key.clone());
        match random(12) {
            0 => drop(storage.commit(Batch::new().delete(key, Expect::Any)).await.expect("committed")),
            1 | 2 => {
                let mut one = override_of(flag.id, "user", &random(3).to_string(), true);
                one.value = Some(change.to_string().as_str().into());
                // Its flag may be gone just now.
                let _ = storage.commit(Batch::new().put(one, Expect::Any)).await;
            }
            _ => {
                flag.default_value = Some(change.to_string().as_str().into());
                put(&*storage, flag.clone()).await;
            }
        }
        match random(40) {
            0 => {
                storage.inject(&Change::Lost);
                lost = true;
            }
            1 | 2 if lost => {
                storage.inject(&Change::Resync);
                lost = false;
            }
            3 => storage.inject(&Change::Resync),
            4 => storage.end_watches(),
            5 => storage.reads_fail.store(true, Ordering::SeqCst),
            6 | 7 => storage.reads_fail.store(false, Ordering::SeqCst),
            8 => tokio::time::sleep(Duration::from_millis(2)).await,
            9 => tokio::task::yield_now().await,
            _ => {}
        }
    }
    storage.reads_fail.store(false, Ordering::SeqCst);
    storage.inject(&Change::Resync);
    until_fresh(&client).await;
    let truth = truth(&storage).await;
    until("the same answers", || served(&client) == truth).await;
    assert!(!truth.is_empty());
}
