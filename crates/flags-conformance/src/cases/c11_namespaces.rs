//! C11: two namespaces never see each other, also when the name of one begins with the name of the other.

use flags_core::storage::{Batch, Capability, Expect, Query};
use flags_core::{ErrorKind, Kind, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, hostile_texts, one_of_each, segment};
use crate::stop::{Checked, ensure, equal, fail};
use crate::store::Store;

cases! { C11:
    c11_a_sibling_sees_nothing,
    c11_the_same_keys_live_apart,
    c11_a_sibling_holds_no_alias_and_no_owner,
    c11_hostile_names_do_not_reach_a_sibling,
    c11_a_sibling_is_not_watched,
}

/// Both directions: the sibling's name begins with the first one's, and the first one's begins the sibling's.
async fn both(ctx: &Context) -> Checked<[(Store, Store); 2]> {
    let sibling = ctx.sibling().await?;
    Ok([(ctx.store.clone(), sibling.clone()), (sibling, ctx.store.clone())])
}

async fn c11_a_sibling_sees_nothing(ctx: &Context) -> Checked {
    for (here, there) in both(ctx).await? {
        let records = one_of_each("a")?;
        here.fill(&records).await?;
        for record in &records {
            there.absent("in a sibling namespace", &record.key()).await?;
            if let Some(owner) = record.owner() {
                there.lists("in a sibling namespace", Query::Owned(record.kind(), owner), []).await?;
            }
        }
        for kind in Kind::ALL {
            there.lists("in a sibling namespace", Query::All(kind), []).await?;
        }
        here.delete(&records[0].key(), Expect::Present).await?;
        for segment in records.iter().skip(1).filter(|record| record.kind() == Kind::Segment) {
            here.delete(&segment.key(), Expect::Present).await?;
        }
    }
    Ok(())
}

async fn c11_the_same_keys_live_apart(ctx: &Context) -> Checked {
    let [(here, there), _] = both(ctx).await?;
    let records = one_of_each("a")?;
    for record in &records {
        here.put(record, Expect::Absent).await?;
        there.put(&edited(record, 1), Expect::Absent).await?;
    }
    for record in &records {
        here.put(&edited(record, 2), Expect::Present).await?;
        there.holds("after a write to its sibling", &edited(record, 1)).await?;
    }
    let before = there.contents().await?;
    here.delete(&records[0].key(), Expect::Present).await?;
    equal("the contents after a cascade in the sibling", &there.contents().await?, &before)?;
    there.delete(&records[0].key(), Expect::Present).await?;
    for kind in Kind::OWNED {
        there.lists("after a cascade of its own", Query::All(kind), []).await?;
    }
    Ok(())
}

async fn c11_a_sibling_holds_no_alias_and_no_owner(ctx: &Context) -> Checked {
    for (here, there) in both(ctx).await? {
        let records = one_of_each("a")?;
        here.fill(&records).await?;
        for record in &records {
            if let Some(alias) = record.alias() {
                there.lists("in a sibling namespace", Query::Alias(alias), []).await?;
            }
            if record.owner().is_some() {
                let batch = Batch::new().put(record.clone(), Expect::Any);
                let what = "putting a record whose flag is in a sibling namespace";
                there.refused(what, batch, ErrorKind::NotFound, &record.key()).await?;
            }
        }
        let Record::Flag(taken) = &records[0] else { fail!("the suite's own flag is none") };
        let mut other = flag("b")?;
        other.id = taken.id;
        there.put(&other.clone().into(), Expect::Absent).await?;
        let segment = Record::from(segment("a")?);
        there.put(&segment, Expect::Absent).await?;
        for store in [&here, &there] {
            for kind in [Kind::Flag, Kind::Segment] {
                for stored in store.list(Query::All(kind)).await?.records {
                    store.delete(&stored.record.key(), Expect::Present).await?;
                }
            }
        }
    }
    Ok(())
}

async fn c11_hostile_names_do_not_reach_a_sibling(ctx: &Context) -> Checked {
    let [(here, there), _] = both(ctx).await?;
    let kept = one_of_each("x")?;
    there.fill(&kept).await?;
    let before = there.contents().await?;
    let mut names = hostile_texts();
    names.extend(["x", "x:", "x:flag:x", ":x", "x:flags", "sibling", "x:x"].map(str::to_owned));
    for name in &names {
        let record = Record::from(flag(name)?);
        here.put(&record, Expect::Any).await?;
        here.delete(&record.key(), Expect::Present).await?;
    }
    equal("the contents after writes of hostile names in the sibling", &there.contents().await?, &before)
}

async fn c11_a_sibling_is_not_watched(ctx: &Context) -> Checked {
    ctx.requires(Capability::Watch)?;
    for (here, there) in both(ctx).await? {
        let mut watching = there.watch().await?;
        let ours = one_of_each("elsewhere")?;
        here.fill(&ours).await?;
        here.delete(&ours[0].key(), Expect::Present).await?;
        let marker = Record::from(flag("marker")?);
        there.put(&marker, Expect::Any).await?;
        let seen =
            watching.reports("after writes to its sibling and one of its own", [&marker.key()]).await?;
        let wrong: Vec<_> = ours.iter().map(Record::key).filter(|key| seen.keys.contains(key)).collect();
        ensure!(wrong.is_empty(), "a watch beside a sibling: expected its own changes alone, came {wrong:?}");
        for stored in here.list(Query::All(Kind::Segment)).await?.records {
            here.delete(&stored.record.key(), Expect::Present).await?;
        }
    }
    Ok(())
}
