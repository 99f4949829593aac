//! Listings that are too long for one answer.

use anyhow::Result;
use flags_core::storage::{Batch, Expect, Op, Query};
use flags_core::{Kind, Storage as _};

use crate::common::{Fixture, flag, listed, put, user};

#[tokio::test]
async fn past_one_answer_each_record_comes_once() -> Result<()> {
    let f = Fixture::new().await?;
    let owner = flag("a");
    put(&f.store, owner.clone()).await?;
    for chunk in 0..12 {
        let batch: Batch = (0..1_000)
            .map(|n| Op::Put(user(owner.id, &format!("{chunk}-{n}")).into(), Expect::Any))
            .collect();
        f.store.commit(batch).await?;
    }
    for store in [&f.store, &f.indexed().await?] {
        let mut keys = listed(store, Query::Owned(Kind::Override, owner.id)).await?;
        assert_eq!(keys.len(), 12_000);
        keys.dedup();
        assert_eq!(keys.len(), 12_000);
    }
    Ok(())
}
