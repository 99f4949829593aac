//! C6 at its limit: how much one commit deletes.

use flags_core::storage::{Batch, Expect, Limit, Query};
use flags_core::{ErrorKind, Kind, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{flag, override_of, overrides};
use crate::stop::{Checked, Stop, equal};

cases! { C6:
    c06_a_cascade_at_the_limit_is_one_commit,
    c06_a_cascade_past_the_limit_is_refused,
    c06_what_has_expired_does_not_count,
}

/// The declared limit, unless writing so much would take longer than it tells.
fn limit(ctx: &Context) -> Checked<usize> {
    const MOST: usize = 20_000;
    let limit = ctx.store.limits().owned_per_delete;
    if limit > MOST {
        return Err(Stop::Ignored(format!(
            "the declared limit of {limit} owned records is too large to try"
        )));
    }
    Ok(limit)
}

/// A flag that owns as much as one commit deletes, and so many more.
async fn laden(ctx: &Context, more: usize) -> Checked<(Record, Vec<Record>)> {
    let limit = limit(ctx)?;
    let flag = flag("laden")?;
    let owned = overrides(limit + more, flag.id)?;
    let flag = Record::from(flag);
    ctx.store.put(&flag, Expect::Absent).await?;
    ctx.store.fill(&owned).await?;
    Ok((flag, owned))
}

async fn c06_a_cascade_at_the_limit_is_one_commit(ctx: &Context) -> Checked {
    let (flag, _) = laden(ctx, 0).await?;
    ctx.store.delete(&flag.key(), Expect::Present).await?;
    ctx.store.lists("after a cascade at the limit", Query::All(Kind::Override), []).await
}

async fn c06_a_cascade_past_the_limit_is_refused(ctx: &Context) -> Checked {
    let (flag, owned) = laden(ctx, 1).await?;
    let what = "deleting a flag that owns one record more than the limit";
    let delete = Batch::new().delete(flag.key(), Expect::Present);
    let error = ctx.store.refused(what, delete.clone(), ErrorKind::Invalid, &flag.key()).await?;
    equal(&format!("{what}: the limit that the error names"), &error.limit(), &Some(Limit::OwnedPerDelete))?;
    for record in owned.iter().take(1) {
        ctx.store.delete(&record.key(), Expect::Present).await?;
    }
    ctx.store.commit("deleting it once it owns one record less", delete).await?;
    ctx.store.lists("after it", Query::All(Kind::Override), []).await
}

async fn c06_what_has_expired_does_not_count(ctx: &Context) -> Checked {
    let flag = flag("laden")?;
    let expiry = ctx.now().saturating_add(ctx.soon());
    let mut owned = Vec::new();
    for n in 0..=limit(ctx)? {
        let mut brief = override_of(flag.id, "user", &n.to_string())?;
        brief.expires_at = Some(expiry);
        owned.push(Record::from(brief));
    }
    let flag = Record::from(flag);
    ctx.store.put(&flag, Expect::Absent).await?;
    ctx.store.fill(&owned).await?;
    ctx.pass(expiry).await;
    ctx.store.delete(&flag.key(), Expect::Present).await?;
    ctx.store.absent("after deleting a flag whose overrides had all expired", &flag.key()).await
}
