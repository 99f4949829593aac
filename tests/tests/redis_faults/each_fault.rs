//! The tests, a group of operations each.

use anyhow::Result;

use crate::check::{self, Access};
use crate::operations;

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_flags_are_whole_and_told_truly() -> Result<()> {
    check::all(operations::FLAGS, Access::Write).await
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_what_flags_own_are_whole_and_told_truly() -> Result<()> {
    check::all(operations::OWNED, Access::Write).await
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_segments_and_of_many_records_are_whole_and_told_truly() -> Result<()> {
    check::all(operations::SEGMENTS_AND_MANY, Access::Write).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_answer_rightly_or_not_at_all() -> Result<()> {
    check::all(operations::READS, Access::Read).await
}
