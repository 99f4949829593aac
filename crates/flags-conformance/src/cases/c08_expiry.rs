//! C8: at or after its expiry a record is absent.

use std::time::Duration;

use flags_core::storage::{Batch, Expect, Query};
use flags_core::{ErrorKind, Flag, Kind, Override, Record, Timestamp};

use crate::case::cases;
use crate::context::Context;
use crate::records::{flag, override_of};
use crate::stop::{Checked, Stop, ensure, equal};
use crate::store::eventually;

cases! { C8:
    c08_expiry_is_exact_to_the_millisecond,
    c08_a_sub_second_expiry_happens,
    c08_an_expired_record_is_absent_to_every_read,
    c08_an_expired_record_is_no_obstacle,
    c08_an_expired_record_meets_no_condition,
    c08_putting_an_expired_record_is_a_delete,
    c08_a_replacement_replaces_the_expiry,
    c08_a_far_expiry_is_kept,
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// An override that expires at that instant.
fn expiring(owner: &Flag, entity_id: &str, at: Timestamp) -> Checked<Record> {
    let mut expiring = override_of(owner.id, "user", entity_id)?;
    expiring.expires_at = Some(at);
    Ok(expiring.into())
}

fn lasting(owner: &Flag, entity_id: &str) -> Checked<Record> {
    override_of(owner.id, "user", entity_id).map(|record: Override| record.into())
}

/// A stored flag for what expires.
async fn owner(ctx: &Context) -> Checked<Flag> {
    let owner = flag("owner")?;
    ctx.store.put(&owner.clone().into(), Expect::Absent).await?;
    Ok(owner)
}

/// The instant in whole milliseconds: the precision that the clause promises.
fn whole_millis(instant: Timestamp) -> Timestamp {
    Timestamp::from_unix_micros(instant.unix_millis().saturating_mul(1_000)).unwrap_or(instant)
}

/// Soon, by the store's clock.
fn soon(ctx: &Context) -> Timestamp {
    whole_millis(ctx.now().saturating_add(ctx.soon()))
}

async fn c08_expiry_is_exact_to_the_millisecond(ctx: &Context) -> Checked {
    let clock = ctx.clock()?;
    let owner = owner(ctx).await?;
    for (n, ahead) in [1_u64, 2, 7, 250, 999, 1_000, 1_001, 59_999, 86_400_000].into_iter().enumerate() {
        let at = whole_millis(ctx.now().saturating_add(Duration::from_millis(ahead)));
        let record = expiring(&owner, &n.to_string(), at)?;
        ctx.store.put(&record, Expect::Absent).await?;
        clock.set(at.saturating_sub(MILLISECOND));
        ctx.store.holds("a millisecond before its expiry", &record).await?;
        let listed = Query::Owned(Kind::Override, owner.id);
        ctx.store.lists("a millisecond before its expiry", listed.clone(), [record.key()]).await?;
        clock.set(at);
        ctx.store.absent("at its expiry", &record.key()).await?;
        ctx.store.lists("at its expiry", listed, []).await?;
    }
    Ok(())
}

async fn c08_a_sub_second_expiry_happens(ctx: &Context) -> Checked {
    if ctx.clock().is_ok() {
        return Err(Stop::Ignored(
            "the store's clock stands still, and the exact case covers this".to_owned(),
        ));
    }
    let owner = owner(ctx).await?;
    let (record, at) = short_lived(ctx, &owner).await?;
    let stored = ctx.store.get(&record.key()).await?;
    // A slow machine may come too late to see it.
    let early = Timestamp::now() < at.saturating_sub(Duration::from_millis(300));
    ensure!(!early || stored.is_some(), "300 ms before its expiry: expected the record, came none");
    eventually(async || ctx.store.absent("after its expiry in 700 ms", &record.key()).await).await?;
    let over = Timestamp::now() >= at.saturating_sub(Duration::from_millis(200));
    ensure!(over, "absent more than 200 ms before its expiry");
    ctx.store.lists("after its expiry", Query::All(Kind::Override), []).await
}

/// A stored record that expires in 700 ms, and when.
async fn short_lived(ctx: &Context, owner: &Flag) -> Checked<(Record, Timestamp)> {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        let at = Timestamp::now().saturating_add(Duration::from_millis(700));
        let record = expiring(owner, "u", at)?;
        let put = Batch::new().put(record.clone(), Expect::Any);
        let effect = ctx.store.commit_one("putting a record that expires in 700 ms", put).await?;
        if effect.after.is_some() {
            return Ok((record, at));
        }
        // It took so long that it had expired on the way.
        let late = Timestamp::now() >= at.saturating_sub(Duration::from_millis(200));
        ensure!(
            late,
            "putting a record that expires in 700 ms: expected a revision, came none, as if it had expired"
        );
    }
    Err(Stop::failed(format!("{TRIES} commits took longer than 700 ms each")))
}

async fn c08_an_expired_record_is_absent_to_every_read(ctx: &Context) -> Checked {
    let owner = owner(ctx).await?;
    let at = soon(ctx);
    let (gone, stays) = (expiring(&owner, "gone", at)?, lasting(&owner, "stays")?);
    ctx.store.fill(&[gone.clone(), stays.clone()]).await?;
    ctx.pass(at).await;
    ctx.store.absent("after its expiry", &gone.key()).await?;
    for query in [Query::All(Kind::Override), Query::Owned(Kind::Override, owner.id)] {
        ctx.store.lists("after one expired", query, [stays.key()]).await?;
    }
    let check = Batch::new().check(gone.key(), Expect::Absent).check(stays.key(), Expect::Present);
    ctx.store.commit("checking that the expired one is absent", check).await?;
    ctx.store.delete(&Record::from(owner).key(), Expect::Present).await?;
    ctx.store.lists("after deleting the flag", Query::All(Kind::Override), []).await
}

async fn c08_an_expired_record_is_no_obstacle(ctx: &Context) -> Checked {
    let owner = owner(ctx).await?;
    let at = soon(ctx);
    let first = expiring(&owner, "u", at)?;
    ctx.store.put(&first, Expect::Absent).await?;
    ctx.pass(at).await;
    let again = lasting(&owner, "u")?;
    let create = Batch::new().put(again.clone(), Expect::Absent);
    let effect = ctx.store.commit_one("creating where a record expired", create).await?;
    equal("the revision before, where a record expired", &effect.before, &None)?;
    ctx.store.holds("after creating where a record expired", &again).await?;
    ctx.store.lists("after it", Query::All(Kind::Override), [again.key()]).await
}

async fn c08_an_expired_record_meets_no_condition(ctx: &Context) -> Checked {
    let owner = owner(ctx).await?;
    let at = soon(ctx);
    let record = expiring(&owner, "u", at)?;
    let revision = ctx.store.put(&record, Expect::Absent).await?;
    ctx.pass(at).await;
    let key = record.key();
    for expect in [Expect::Present, Expect::Revision(revision)] {
        for batch in [
            Batch::new().put(lasting(&owner, "u")?, expect.clone()),
            Batch::new().delete(key.clone(), expect.clone()),
            Batch::new().check(key.clone(), expect.clone()),
        ] {
            let what = format!("an operation on an expired record with {expect:?}");
            ctx.store.refused(&what, batch, ErrorKind::NotFound, &key).await?;
        }
    }
    let effect = ctx.store.delete(&key, Expect::Any).await?;
    equal("deleting an expired record: the effect's `before`", &effect.before, &None)
}

async fn c08_putting_an_expired_record_is_a_delete(ctx: &Context) -> Checked {
    let owner = owner(ctx).await?;
    let at = soon(ctx);
    let former = lasting(&owner, "there")?;
    let revision = ctx.store.put(&former, Expect::Absent).await?;
    ctx.pass(at).await;
    for past in [at, Timestamp::MIN, Timestamp::UNIX_EPOCH] {
        let nothing = expiring(&owner, "nothing there", past)?;
        let put = Batch::new().put(nothing.clone(), Expect::Absent);
        let effect = ctx.store.commit_one("putting a record that has expired", put).await?;
        equal("the effect of putting a record that has expired: `before`", &effect.before, &None)?;
        equal("the effect of putting a record that has expired: `after`", &effect.after, &None)?;
        ctx.store.absent("after putting a record that has expired", &nothing.key()).await?;
    }
    let over = expiring(&owner, "there", at)?;
    let refused = Batch::new().put(over.clone(), Expect::Absent);
    ctx.store
        .refused("one that has expired, over another", refused, ErrorKind::AlreadyExists, &over.key())
        .await?;
    let put = Batch::new().put(over.clone(), Expect::Revision(revision.clone()));
    let effect = ctx.store.commit_one("putting one that has expired over another", put).await?;
    equal(
        "the effect of putting one that has expired over another: `before`",
        &effect.before,
        &Some(revision),
    )?;
    equal("the effect of putting one that has expired over another: `after`", &effect.after, &None)?;
    ctx.store.absent("after putting one that has expired over another", &over.key()).await?;
    ctx.store.lists("after it", Query::All(Kind::Override), []).await
}

async fn c08_a_replacement_replaces_the_expiry(ctx: &Context) -> Checked {
    let owner = owner(ctx).await?;
    let at = soon(ctx);
    let later = at.saturating_add(Duration::from_secs(3_600));
    let [unbound, longer, shorter] = ["unbound", "longer", "shorter"];
    for entity in [unbound, longer] {
        ctx.store.put(&expiring(&owner, entity, at)?, Expect::Absent).await?;
    }
    ctx.store.put(&lasting(&owner, shorter)?, Expect::Absent).await?;
    ctx.store.put(&lasting(&owner, unbound)?, Expect::Present).await?;
    ctx.store.put(&expiring(&owner, longer, later)?, Expect::Present).await?;
    ctx.store.put(&expiring(&owner, shorter, at)?, Expect::Present).await?;
    ctx.pass(at).await;
    let left = [lasting(&owner, unbound)?.key(), expiring(&owner, longer, later)?.key()];
    for key in &left {
        ensure!(ctx.store.get(key).await?.is_some(), "after its former expiry: expected {key}, came none");
    }
    ctx.store.absent("after its new expiry", &lasting(&owner, shorter)?.key()).await?;
    ctx.store.lists("after an expiry that two no longer have", Query::All(Kind::Override), left).await
}

async fn c08_a_far_expiry_is_kept(ctx: &Context) -> Checked {
    let owner = owner(ctx).await?;
    let centuries = Duration::from_secs(400 * 365 * 86_400);
    for (n, at) in [Timestamp::MAX, ctx.now().saturating_add(centuries)].into_iter().enumerate() {
        let record = expiring(&owner, &n.to_string(), at)?;
        ctx.store.put(&record, Expect::Absent).await?;
        ctx.store.holds("long before its expiry", &record).await?;
    }
    Ok(())
}
