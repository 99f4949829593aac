//! Many writers in one process.

use std::path::Path;
use std::sync::Arc;

use flags_core::FlagStore;
use flags_file::FileStorage;

use crate::common::*;

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
