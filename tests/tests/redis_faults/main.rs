//! Every operation of the typed API, over Redis, with every fault at every command and every reply.
//!
//! Whatever happens, the store is in the state before or in the state after, and the outcome says which where it says so:
//! `Ok` is after, `Unavailable` before, `Indeterminate` either, and only of a write. The handle works again afterwards.

mod bed;
mod check;
mod dump;
mod fixture;
mod operations;

use anyhow::Result;
use check::Access;

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
