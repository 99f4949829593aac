//! C14: every call ends, and says honestly how.

use flags_core::storage::{Batch, Capability, Expect, Query};
use flags_core::{Error, ErrorKind, Kind, Record, StorageHandle};
use futures_util::StreamExt;

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, one_of_each};
use crate::stop::{Checked, Stop, describe, ensure, equal, fail, unexpected};
use crate::store::bounded;

cases! { C14:
    c14_after_close_every_call_is_closed,
    c14_close_is_idempotent,
    c14_close_counts_for_every_clone_of_the_handle,
    c14_a_listing_ends_when_the_store_is_closed,
    c14_closing_amid_calls_leaves_none_hanging on threads,
    c14_a_healthy_store_says_so,
    c14_the_descriptor_never_changes,
    c14_refusals_are_never_indeterminate,
    c14_no_secret_is_shown,
}

/// The call ended with `closed`.
fn closed<T>(what: &str, outcome: Result<T, Error>) -> Checked {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Closed => Ok(()),
        Err(error) => fail!("{what} after close: expected `closed`, came {}", describe(&error)),
        Ok(_) => fail!("{what} after close: expected `closed`, came success"),
    }
}

/// Every call on this handle is `closed`.
async fn is_closed(handle: &StorageHandle) -> Checked {
    let record = Record::from(flag("f")?);
    let key = record.key();
    closed("get", bounded("get after close", handle.get(std::slice::from_ref(&key))).await?)?;
    for (what, batch) in [
        ("a put", Batch::new().put(edited(&record, 1), Expect::Any)),
        ("a delete", Batch::new().delete(key.clone(), Expect::Any)),
        ("a check", Batch::new().check(key.clone(), Expect::Absent)),
        ("an empty commit", Batch::new()),
    ] {
        closed(what, bounded(&format!("{what} after close"), handle.commit(batch)).await?)?;
    }
    for kind in Kind::ALL {
        let mut listing = handle.list(Query::All(kind));
        match bounded("a listing after close", listing.next()).await? {
            Some(item) => closed("a listing", item)?,
            None => {
                fail!("a listing after close: expected `closed`, came its end, as if there were no records")
            }
        }
        let more = bounded("a listing after close", listing.next()).await?;
        ensure!(more.is_none(), "a listing after `closed`: expected its end, came {more:?}");
    }
    if handle.descriptor().has(Capability::Watch) {
        closed("watch", bounded("watch after close", handle.watch()).await?)?;
    }
    closed("health", bounded("health after close", handle.health()).await?)
}

async fn close(handle: &StorageHandle) -> Checked {
    bounded("close", handle.close()).await?.map_err(|error| unexpected("close", &error))
}

async fn c14_after_close_every_call_is_closed(ctx: &Context) -> Checked {
    ctx.store.fill(&one_of_each("f")?).await?;
    close(&ctx.store.handle).await?;
    is_closed(&ctx.store.handle).await
}

async fn c14_close_is_idempotent(ctx: &Context) -> Checked {
    for _ in 0..3 {
        close(&ctx.store.handle).await?;
    }
    is_closed(&ctx.store.handle).await?;
    close(&ctx.store.handle).await
}

async fn c14_close_counts_for_every_clone_of_the_handle(ctx: &Context) -> Checked {
    let clone = ctx.handle();
    ctx.store.put(&flag("f")?.into(), Expect::Absent).await?;
    close(&clone).await?;
    drop(clone);
    is_closed(&ctx.store.handle).await?;
    is_closed(&ctx.namespace().storage()).await
}

async fn c14_a_listing_ends_when_the_store_is_closed(ctx: &Context) -> Checked {
    ctx.store.fill(&crate::records::flags(500, "f")?).await?;
    let mut listing = ctx.store.handle.list(Query::All(Kind::Flag));
    bounded("the first item of a listing", listing.next()).await?;
    close(&ctx.store.handle).await?;
    // What was read ahead may still come; then it ends, quietly or as closed.
    while let Some(item) = bounded("a listing whose store was closed", listing.next()).await? {
        if let Err(error) = item {
            equal("the error of a listing whose store was closed", &error.kind(), &ErrorKind::Closed)?;
            let more = bounded("a listing after its error", listing.next()).await?;
            ensure!(more.is_none(), "a listing after its error: expected its end, came {more:?}");
        }
    }
    Ok(())
}

async fn c14_closing_amid_calls_leaves_none_hanging(ctx: &Context) -> Checked {
    let record = Record::from(flag("f")?);
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (handle, record) = (ctx.handle(), edited(&record, n));
        calls.spawn(async move {
            loop {
                let written = handle.commit(Batch::new().put(record.clone(), Expect::Any)).await.map(drop);
                let read = handle.get(std::slice::from_ref(&record.key())).await.map(drop);
                if let Err(error) = written.and(read) {
                    return error;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    tokio::task::yield_now().await;
    close(&ctx.store.handle).await?;
    while let Some(ended) = bounded("calls while the store is closed", calls.join_next()).await? {
        let error = ended
            .map_err(|error| Stop::failed(format!("a call while the store is closed panicked: {error}")))?;
        let honest =
            matches!(error.kind(), ErrorKind::Closed | ErrorKind::Indeterminate | ErrorKind::Unavailable);
        ensure!(honest, "a call while the store is closed: expected `closed`, came {}", describe(&error));
    }
    is_closed(&ctx.store.handle).await
}

async fn c14_a_healthy_store_says_so(ctx: &Context) -> Checked {
    for _ in 0..3 {
        bounded("health", ctx.store.handle.health()).await?.map_err(|error| unexpected("health", &error))?;
    }
    Ok(())
}

async fn c14_the_descriptor_never_changes(ctx: &Context) -> Checked {
    let before = ctx.store.handle.descriptor().clone();
    ensure!(!before.name().is_empty(), "the descriptor: expected a name, came none");
    ctx.store.fill(&one_of_each("f")?).await?;
    equal("the descriptor after some commits", ctx.store.handle.descriptor(), &before)?;
    close(&ctx.store.handle).await?;
    equal("the descriptor after close", ctx.store.handle.descriptor(), &before)
}

async fn c14_refusals_are_never_indeterminate(ctx: &Context) -> Checked {
    let there = Record::from(flag("there")?);
    ctx.store.put(&there, Expect::Absent).await?;
    let missing = Record::from(flag("missing")?);
    for batch in [
        Batch::new().put(there.clone(), Expect::Absent),
        Batch::new().put(missing.clone(), Expect::Present),
        Batch::new().check(there.key(), Expect::Any).check(there.key(), Expect::Any),
    ] {
        match ctx.store.try_commit("a commit that must be refused", batch).await? {
            Ok(effects) => fail!("a commit that must be refused: came {effects:?}"),
            Err(error) => {
                let honest = !matches!(error.kind(), ErrorKind::Indeterminate | ErrorKind::Unavailable);
                ensure!(
                    honest,
                    "a commit that must be refused: expected the reason, came {}",
                    describe(&error)
                );
                ensure!(!error.is_retryable(), "a commit that must be refused: came as retryable");
            }
        }
    }
    Ok(())
}

async fn c14_no_secret_is_shown(ctx: &Context) -> Checked {
    let secrets = ctx.namespace().secrets();
    if secrets.is_empty() {
        return Err(Stop::Ignored("the harness gives no secrets".to_owned()));
    }
    let there = Record::from(flag("there")?);
    ctx.store.put(&there, Expect::Absent).await?;
    let mut shown = vec![format!("{:?}", ctx.store.handle), format!("{:?}", ctx.store.handle.descriptor())];
    shown.push(format!("{:?}", ctx.store.handle.health().await));
    let refused = ctx.store.try_commit("a refused commit", Batch::new().put(there, Expect::Absent)).await?;
    close(&ctx.store.handle).await?;
    let closed = ctx.store.handle.commit(Batch::new()).await;
    for error in [refused.err(), closed.err()].into_iter().flatten() {
        shown.push(format!("{error:?}"));
        shown.push(describe(&error));
    }
    shown.push(format!("{:?}", ctx.store.handle));
    // The message must not show it either.
    let leaky = shown.iter().position(|text| secrets.iter().any(|secret| text.contains(secret.as_str())));
    ensure!(
        leaky.is_none(),
        "the Debug of the store, its health and its errors: expected no secret, came one in text {leaky:?}"
    );
    Ok(())
}
