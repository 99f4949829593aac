//! C15: a call beyond the limits is refused, and changes nothing.

use flags_core::storage::{Batch, Expect, Limit, Op, Query};
use flags_core::{EntityId, EntityType, Error, ErrorKind, Flag, FlagId, Key, Kind, Record, Segment};

use crate::case::cases;
use crate::context::Context;
use crate::records::{edited, flag, json, one_of_each, override_of};
use crate::stop::{Checked, Stop, describe, ensure, equal, fail, unexpected};
use crate::store::bounded;

cases! { C15:
    c15_a_key_at_the_limit_is_taken,
    c15_a_key_past_the_limit_is_refused,
    c15_a_value_at_the_limit_is_taken,
    c15_a_value_past_the_limit_is_refused,
    c15_a_batch_at_the_limit_is_taken,
    c15_a_batch_past_the_limit_is_refused,
    c15_nesting_at_the_limit_is_taken,
    c15_nesting_past_the_limit_is_refused,
    c15_a_key_named_twice_is_refused,
    c15_a_record_without_a_json_form_is_refused,
}

/// A limit that a case can go up to, or the reason why not.
fn within(limit: usize, most: usize, what: &str) -> Checked<usize> {
    if limit > most {
        return Err(Stop::Ignored(format!("the declared limit of {limit} {what} is too large to try")));
    }
    Ok(limit)
}

/// `Invalid`, naming the limit and, of one record, the key.
fn names(what: &str, error: &Error, limit: Limit, key: Option<&Key>) -> Checked {
    equal(&format!("{what}: the limit that the error names"), &error.limit(), &Some(limit))?;
    if key.is_some() {
        equal(&format!("{what}: the key that the error names"), &error.key(), &key)?;
    }
    Ok(())
}

/// The record is refused for that limit, alone and after a good operation.
async fn over(ctx: &Context, what: &str, record: &Record, limit: Limit) -> Checked {
    for expect in [Expect::Any, Expect::Absent, Expect::Present] {
        let batch = Batch::new().put(flag("good")?, Expect::Absent).put(record.clone(), expect);
        let error = ctx.store.refused(what, batch, ErrorKind::Invalid, &record.key()).await?;
        names(what, &error, limit, Some(&record.key()))?;
    }
    Ok(())
}

/// An override of that flag whose key is so long.
fn long_key(ctx: &Context, owner: FlagId, more: usize) -> Checked<Record> {
    let limit = within(ctx.store.limits().key_bytes, 65_536, "bytes of a key")?;
    let shortest = Record::from(override_of(owner, "user", "")?).key().text_len();
    let Some(length) = (limit + more).checked_sub(shortest) else {
        fail!(
            "the declared limit of {limit} bytes of a key: expected room for an override's key of {shortest}"
        )
    };
    Ok(override_of(owner, "user", &"x".repeat(length))?.into())
}

async fn c15_a_key_at_the_limit_is_taken(ctx: &Context) -> Checked {
    let owner = flag("f")?;
    let record = long_key(ctx, owner.id, 0)?;
    ctx.store.fill(&[owner.into(), record.clone()]).await?;
    ctx.store.holds("a key at the limit", &record).await?;
    ctx.store.lists("with a key at the limit", Query::All(Kind::Override), [record.key()]).await?;
    ctx.store.delete(&record.key(), Expect::Present).await.map(drop)
}

async fn c15_a_key_past_the_limit_is_refused(ctx: &Context) -> Checked {
    let owner = flag("f")?;
    let record = long_key(ctx, owner.id, 1)?;
    let key = record.key();
    ctx.store.put(&owner.into(), Expect::Absent).await?;
    over(ctx, "putting a key past the limit", &record, Limit::KeyBytes).await?;
    for batch in
        [Batch::new().delete(key.clone(), Expect::Any), Batch::new().check(key.clone(), Expect::Absent)]
    {
        let what = "an operation on a key past the limit";
        let error = ctx.store.refused(what, batch, ErrorKind::Invalid, &key).await?;
        names(what, &error, Limit::KeyBytes, Some(&key))?;
    }
    let what = "get of a key past the limit";
    match bounded(what, ctx.store.handle.get(std::slice::from_ref(&key))).await? {
        Err(error) if error.kind() == ErrorKind::Invalid => names(what, &error, Limit::KeyBytes, Some(&key)),
        Err(error) => fail!("{what}: expected `invalid`, came {}", describe(&error)),
        Ok(answers) => fail!("{what}: expected `invalid`, came {answers:?}"),
    }
}

/// A flag whose JSON is exactly as long as the limit, and so many bytes more.
fn long_value(ctx: &Context, more: usize) -> Checked<Record> {
    let limit = within(ctx.store.limits().value_bytes, 16 * 1024 * 1024, "bytes of a value")?;
    let mut long: Flag = flag("long")?;
    long.description = Some(String::new());
    let bytes =
        Record::from(long.clone()).encode().map_err(|error| unexpected("encoding a record", &error))?;
    let Some(room) = (limit + more).checked_sub(bytes.len()) else {
        fail!(
            "the declared limit of {limit} bytes of a value: expected room for an empty flag of {}",
            bytes.len()
        )
    };
    long.description = Some("x".repeat(room));
    Ok(long.into())
}

async fn c15_a_value_at_the_limit_is_taken(ctx: &Context) -> Checked {
    let record = long_value(ctx, 0)?;
    ctx.store.put(&record, Expect::Absent).await?;
    ctx.store.holds("a value at the limit", &record).await.map(drop)
}

async fn c15_a_value_past_the_limit_is_refused(ctx: &Context) -> Checked {
    over(ctx, "putting a value past the limit", &long_value(ctx, 1)?, Limit::ValueBytes).await
}

/// A put, and as many checks as fill the batch.
fn large_batch(ctx: &Context, more: usize) -> Checked<(Batch, Record)> {
    let limit = within(ctx.store.limits().batch_ops, 20_000, "operations")?;
    let record = Record::from(Segment::new(crate::records::segment_name("one of many")?));
    let mut batch = Batch::new().put(record.clone(), Expect::Absent);
    let nobody = FlagId::new();
    for n in 1..limit + more {
        batch = batch.check(Record::from(override_of(nobody, "user", &n.to_string())?).key(), Expect::Absent);
    }
    Ok((batch, record))
}

async fn c15_a_batch_at_the_limit_is_taken(ctx: &Context) -> Checked {
    let (batch, record) = large_batch(ctx, 0)?;
    ctx.store.commit("a batch at the limit", batch).await?;
    ctx.store.holds("after a batch at the limit", &record).await.map(drop)
}

async fn c15_a_batch_past_the_limit_is_refused(ctx: &Context) -> Checked {
    let (batch, record) = large_batch(ctx, 1)?;
    let what = "a batch past the limit";
    let error = ctx.store.refused_with(what, batch, ErrorKind::Invalid).await?;
    names(what, &error, Limit::BatchOps, None)?;
    ctx.store.absent("after a batch past the limit", &record.key()).await
}

/// Flags that nest so deeply, each in another member.
fn deep(ctx: &Context, more: usize) -> Checked<Vec<Record>> {
    let limit = within(ctx.store.limits().json_depth, 10_000, "levels")?;
    let Some(depth) = (limit + more).checked_sub(1) else { fail!("the declared limit on nesting is 0") };
    let (arrays, objects) = (
        format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
        format!("{}1{}", "{\"[\":".repeat(depth), "}".repeat(depth)),
    );
    let mut flags = vec![flag("deep array")?, flag("deep object")?, flag("deep unknown")?];
    flags[0].default_value = Some(json(&arrays)?);
    flags[1].metadata = json(&objects)?;
    flags[2].extra.insert("later", json(&arrays)?);
    Ok(flags.into_iter().map(Record::from).collect())
}

async fn c15_nesting_at_the_limit_is_taken(ctx: &Context) -> Checked {
    for record in deep(ctx, 0)? {
        ctx.store.put(&record, Expect::Absent).await?;
        ctx.store.holds("nesting at the limit", &record).await?;
    }
    Ok(())
}

async fn c15_nesting_past_the_limit_is_refused(ctx: &Context) -> Checked {
    for record in deep(ctx, 1)? {
        over(ctx, &format!("putting {}, past the limit", record.key()), &record, Limit::JsonDepth).await?;
    }
    Ok(())
}

async fn c15_a_key_named_twice_is_refused(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    for record in &records {
        let operations = [
            Op::Put(edited(record, 1), Expect::Any),
            Op::Delete(record.key(), Expect::Any),
            Op::Check(record.key(), Expect::Any),
        ];
        for first in &operations {
            for second in &operations {
                let between = Op::Put(flag("between")?.into(), Expect::Absent);
                let batch: Batch = [first.clone(), between, second.clone()].into_iter().collect();
                let what = format!("a batch that names {} twice", record.key());
                ctx.store.refused(&what, batch, ErrorKind::Invalid, &record.key()).await?;
            }
        }
    }
    // Keys that only look alike are two.
    let id = FlagId::new();
    let name = |error| Stop::failed(format!("the suite's own name: {error}"));
    let alike = |entity_id: &str| -> Checked<Key> {
        let user = EntityType::new("user").map_err(name)?;
        Ok(Key::Override(id, user, EntityId::new(entity_id).map_err(name)?))
    };
    let batch = ["", "a", "A", "a ", "a:"].into_iter().try_fold(Batch::new(), |batch, entity_id| {
        Ok::<_, Stop>(batch.check(alike(entity_id)?, Expect::Absent))
    })?;
    ctx.store.commit("a batch of keys that look alike", batch).await.map(drop)
}

async fn c15_a_record_without_a_json_form_is_refused(ctx: &Context) -> Checked {
    for member in ["key", "default_enabled"] {
        let mut flag = flag("f")?;
        flag.extra.insert(member, json("1")?);
        let record = Record::from(flag);
        let batch = Batch::new().put(record.clone(), Expect::Any);
        let what = format!("putting an unknown member called {member}");
        let error = ctx.store.refused(&what, batch, ErrorKind::Invalid, &record.key()).await?;
        ensure!(error.limit().is_none(), "{what}: expected no limit to be named, came {:?}", error.limit());
    }
    Ok(())
}
