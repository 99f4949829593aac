//! Many writers in one process.

use std::path::Path;
use std::sync::Arc;

use flags_core::{FlagStore, Storage as _};
use flags_file::FileStorage;
use futures_util::FutureExt as _;

use crate::common::*;

/// As in a `select!` whose other branch is at work: the commit was begun, and nobody asks how it
/// is.
#[tokio::test]
async fn a_commit_that_nobody_polls_holds_up_nobody() {
    let fixture = Fixture::written();
    let storage = FileStorage::builder(&fixture.path).deadline(BOUND).open().await.expect("opened");
    let lock = std::fs::File::create(fixture.path.with_extension("json.lock")).expect("made");
    lock.lock().expect("locked");
    let [mut first, mut second, mut dropped] =
        ["x", "y", "never"].map(|key| Box::pin(storage.commit(create(key))));
    for begun in [&mut first, &mut second, &mut dropped] {
        assert!(begun.now_or_never().is_none());
    }
    drop(dropped);
    drop(lock);
    let third = tokio::time::timeout(BOUND / 2, storage.commit(create("z"))).await;
    third.expect("in time").expect("committed");
    first.await.expect("committed");
    second.await.expect("committed");
    assert!(!fixture.text().contains("never"));
}

const TASKS: usize = 64;
const TIMES: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_tasks_lose_no_update() {
    // Where there is a disk in memory, the test does not wait for a real one.
    let shm = Path::new("/dev/shm");
    let directory = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
    let path = directory.as_ref().expect("a directory").path().join("flags.json");
    let openings =
        [FileStorage::open(&path).await.expect("opened"), FileStorage::open(&path).await.expect("opened")];
    store(&openings[0]).create_flag(flag("count")).await.expect("created");
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..TASKS {
        let flags = FlagStore::new(Arc::new(openings[n % 2].clone())).with_modify_deadline(10 * BOUND);
        tasks.spawn(async move {
            let count = name("count");
            for _ in 0..TIMES {
                let counted = flags.modify_flag(&count, |flag| {
                    let before: u64 = flag.metadata.to().unwrap_or_default();
                    flag.metadata = (before as i64 + 1).into();
                    Ok(())
                });
                counted.await.expect("modified");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    let flag = store(&openings[0]).get_flag(&name("count")).await.expect("read").expect("the flag");
    assert_eq!(flag.metadata.to::<usize>().expect("a number"), TASKS * TIMES);
}
