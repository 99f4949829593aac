//! One operation, one fault: what may come of it.

use anyhow::{Context as _, Result, bail, ensure};
use flags_core::{ErrorKind, FlagStore};
use flags_tests::proxy::{At, Fault, Side, Traffic};
use flags_tests::wait;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::bed::{Bed, Waits};
use crate::dump::Dump;
use crate::fixture::{flag, key};
use crate::operations::Operation;

/// Operations mostly wait; each has a server to itself.
const AT_A_TIME: usize = 8;

/// What the operations do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// What an operation does when nothing goes wrong.
struct Reference {
    before: Dump,
    after: Dump,
    answer: String,
    traffic: Traffic,
}

/// How the cases ended, to be read with `--nocapture`.
#[derive(Debug, Default)]
struct Tally {
    ok: usize,
    unavailable: usize,
    in_doubt_and_before: usize,
    in_doubt_and_after: usize,
}

pub(crate) async fn all(operations: &[Operation], access: Access) -> Result<()> {
    let checked = operations.iter().map(|operation| async move {
        let tally = one(*operation, access).await.with_context(|| operation.name.to_owned())?;
        println!("{:<40} {tally:?}", operation.name);
        anyhow::Ok(())
    });
    futures_util::stream::iter(checked).buffer_unordered(AT_A_TIME).try_collect().await
}

async fn one(operation: Operation, access: Access) -> Result<Tally> {
    let bed = Bed::new().await?;
    let reference = reference(&bed, operation).await?;
    ensure!((reference.before == reference.after) || access == Access::Write, "a read wrote");
    let mut tally = Tally::default();
    for (fault, at) in cases(reference.traffic) {
        let case = case(&bed, operation, access, &reference, fault, at, &mut tally);
        let ended = tokio::time::timeout(wait::BOUND * 2, case).await.context("it never ended");
        ended.flatten().with_context(|| format!("{fault:?} at {at:?}; the server: {}", bed.last_words()))?;
    }
    // Whatever was cut, lost or given up: one connection a handle, and every handle but the last is gone.
    wait::until("connections that nobody uses are closed", async || {
        Ok(bed.proxy.connections() == 0 && bed.left_open().await? == 0)
    })
    .await?;
    Ok(tally)
}

async fn reference(bed: &Bed, operation: Operation) -> Result<Reference> {
    let store = bed.fresh(Waits::Long).await?;
    let before = bed.dump().await?;
    bed.proxy.traffic();
    let answer = (operation.run)(&store).await?;
    let traffic = bed.proxy.traffic();
    Ok(Reference { before, after: bed.dump().await?, answer, traffic })
}

/// Every fault at every command and every reply, and cuts within them.
fn cases(traffic: Traffic) -> Vec<(Fault, At)> {
    let faults = [
        Fault::Cut,
        Fault::HalfClose,
        Fault::Refuse,
        Fault::Delay(std::time::Duration::from_millis(5)),
        Fault::Lose,
        Fault::Blackhole,
    ];
    let commands = (1..=traffic.commands).map(At::Command);
    let places: Vec<At> = commands.chain((1..=traffic.replies).map(At::Reply)).collect();
    let mut cases: Vec<(Fault, At)> =
        places.iter().flat_map(|at| faults.iter().map(|fault| (*fault, *at))).collect();
    for (side, bytes) in [(Side::Requests, traffic.request_bytes), (Side::Replies, traffic.reply_bytes)] {
        // The server tells its time in more or fewer digits the next time.
        let last = bytes.saturating_sub(8).max(1);
        cases.extend([1, bytes / 2, last].map(|byte| (Fault::Cut, At::Byte(side, byte))));
    }
    cases
}

async fn case(
    bed: &Bed,
    operation: Operation,
    access: Access,
    reference: &Reference,
    fault: Fault,
    at: At,
    tally: &mut Tally,
) -> Result<()> {
    let waits = match fault {
        Fault::Lose | Fault::Blackhole => Waits::Briefly,
        _ => Waits::Long,
    };
    let store = bed.fresh(waits).await?;
    ensure!(bed.dump().await? == reference.before, "the fixture differs");
    bed.proxy.inject(fault, at);
    let outcome = (operation.run)(&store).await;
    ensure!(bed.proxy.pending() == 0 || waits == Waits::Briefly, "the fault did not happen");
    let state = bed.dump().await?;
    let (is_before, is_after) = (state == reference.before, state == reference.after);
    ensure!(is_before || is_after, "half a commit:\n{state:#?}\nbefore:\n{:#?}", reference.before);
    match &outcome {
        Ok(answer) => {
            ensure!(is_after, "it is said to be done, and is not");
            ensure!(*answer == reference.answer, "answered {answer}, not {}", reference.answer);
            tally.ok += 1;
        }
        Err(error) => match error.kind() {
            ErrorKind::Unavailable => {
                ensure!(is_before, "it is said not to be done, and is: {error:?}");
                tally.unavailable += 1;
            }
            ErrorKind::Indeterminate if access == Access::Write && is_after => tally.in_doubt_and_after += 1,
            ErrorKind::Indeterminate if access == Access::Write => tally.in_doubt_and_before += 1,
            _ => bail!("{error:?}"),
        },
    }
    // The reply to the last command was lost: it has been carried out, or this test tests nothing.
    if waits == Waits::Long && at == At::Reply(reference.traffic.replies) {
        ensure!(is_after, "the last command was not carried out");
    }
    bed.proxy.heal().await?;
    works_again(&store, waits).await?;
    let unavailable = outcome.is_err_and(|error| error.kind() == ErrorKind::Unavailable);
    let mut state = bed.dump().await?;
    forget_the_last(&mut state, &reference.before);
    ensure!(!unavailable || state == reference.before, "it was said not to be done, and was done later");
    Ok(())
}

/// The handle reads and writes: at once where the fault was noticed, else once it has given the connection
/// up.
async fn works_again(store: &FlagStore, waits: Waits) -> Result<()> {
    let read_and_write = async || -> Result<bool> {
        store.get_flags(&[key("b")]).await.context("reading")?;
        store.upsert_flag(flag("last", 99)).await.context("writing")?;
        Ok(true)
    };
    match waits {
        Waits::Long => read_and_write().await.map(drop).context("the next operation"),
        Waits::Briefly => wait::until("the handle works again", read_and_write).await,
    }
}

/// Takes the flag of [`works_again`] out of a dump.
fn forget_the_last(state: &mut Dump, before: &Dump) {
    state.retain(|key, _| before.contains_key(key) || !key.ends_with("flag:last"));
    let id = flag("last", 99).id.to_string();
    for values in state.values_mut() {
        values.retain(|value| value != "last" && !value.starts_with(&id));
    }
}
