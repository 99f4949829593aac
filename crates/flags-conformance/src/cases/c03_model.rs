//! C3, with C2, C6, C7 and C8: random batches, and a plain model that says what should come of each.

use std::collections::{BTreeMap, HashSet};

use flags_core::storage::{Expect, Op, Query, Revision};
use flags_core::{Alias, FlagId, Key, Kind, Record, SegmentId};

use crate::case::cases;
use crate::context::Context;
use crate::model::{Model, ModelOp};
use crate::records::{at, edited, flag, override_of, owned, segment, segment_name};
use crate::stop::{Checked, ensure, equal, unexpected};

cases! { C3:
    c03_random_batches_agree_with_a_plain_model,
    c03_random_single_operations_agree_with_a_plain_model,
}

const BATCHES: usize = 400;

/// How often a foreign writer writes something that a flag owns, whether there is the flag or not.
const PLANTED_EVERY: usize = 10;

/// The model's numbers, with the record and the store's revision that each stands for.
type Revisions = BTreeMap<u64, (Key, Revision)>;

async fn c03_random_batches_agree_with_a_plain_model(ctx: &Context) -> Checked {
    agree(ctx, 6).await
}

async fn c03_random_single_operations_agree_with_a_plain_model(ctx: &Context) -> Checked {
    agree(ctx, 1).await
}

/// Commits random batches of up to so many operations to the store and to the model.
async fn agree(ctx: &Context, most: usize) -> Checked {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let universe = universe()?;
    let mut model = Model::default();
    let mut revisions = Revisions::new();
    for round in 0..BATCHES {
        if round % PLANTED_EVERY == 0 {
            plant(ctx, &mut random, round, &universe, &mut model, &mut revisions).await?;
        }
        let batch = random_batch(&mut random, round, &universe, &model, &revisions, most);
        let what = format!("batch {round} of seed {seed}, {batch:?}");
        let ops = batch.iter().map(|op| with_revision(op, &revisions));
        let came = ctx.store.try_commit(&what, ops.collect()).await?;
        let expected = model.commit(&batch);
        match (&came, &expected) {
            (Ok(effects), Ok(())) => {
                for (op, effect) in batch.iter().zip(effects) {
                    let key = op.op.key();
                    let now = model.revision(&key);
                    ensure!(
                        now.is_some() == effect.after.is_some(),
                        "{what}: {key}: came {effect:?}, expected it {}",
                        if now.is_some() { "stored" } else { "gone" }
                    );
                    if let (Some(now), Some(after)) = (now, &effect.after) {
                        revisions.insert(now, (key, after.clone()));
                    }
                }
            }
            (Err(error), Err((kind, key))) => {
                ensure!(
                    error.kind() == *kind && error.key() == Some(key),
                    "{what}: expected `{kind}` for {key}, came `{}`: {error}",
                    error.kind()
                );
            }
            _ => ensure!(false, "{what}: expected {expected:?}, came {came:?}"),
        }
        if round % 20 == 0 || round + 1 == BATCHES {
            compare(ctx, &what, &model).await?;
        }
    }
    Ok(())
}

/// Writes a record as a foreign writer does, where the harness has one.
async fn plant(
    ctx: &Context,
    random: &mut fastrand::Rng,
    round: usize,
    universe: &[Record],
    model: &mut Model,
    revisions: &mut Revisions,
) -> Checked {
    let owned = universe.iter().filter(|record| record.owner().is_some() && !record.is_expired(at(0)));
    let Some(record) = random.choice(owned.collect::<Vec<_>>()) else { return Ok(()) };
    // No batch writes the same value.
    let record = edited(record, u32::MAX - u32::try_from(round).unwrap_or_default());
    let bytes = record.encode().map_err(|error| unexpected("encoding a record", &error))?;
    if ctx.plants(&record.key(), &bytes).await? {
        let stored = ctx.store.holds("after a foreign write", &record).await?;
        revisions.insert(model.plant(record.clone()), (record.key(), stored.revision));
    }
    Ok(())
}

/// Everything that the store shows against everything that the model holds.
async fn compare(ctx: &Context, what: &str, model: &Model) -> Checked {
    let expected: BTreeMap<Key, Record> = model.records().map(|r| (r.key(), r.clone())).collect();
    let contents = ctx.store.contents().await?;
    let came: BTreeMap<Key, Record> =
        contents.into_iter().map(|(key, stored)| (key, stored.record)).collect();
    equal(&format!("after {what}: the store"), &came, &expected)?;
    for record in expected.values() {
        if let Some(alias) = record.alias() {
            ctx.store.lists(what, Query::Alias(alias), [record.key()]).await?;
        }
    }
    for kind in Kind::OWNED {
        for id in flag_ids(expected.values()) {
            let owned =
                expected.values().filter(|r| r.kind() == kind && r.owner() == Some(id)).map(Record::key);
            ctx.store.lists(what, Query::Owned(kind, id), owned).await?;
        }
    }
    Ok(())
}

fn flag_ids<'a>(records: impl Iterator<Item = &'a Record>) -> HashSet<FlagId> {
    let ids = records.filter_map(Record::alias).filter_map(|alias| match alias {
        Alias::FlagId(id) => Some(id),
        _ => None,
    });
    ids.collect()
}

/// A few records that get in each other's way: three flag keys under three ids in every combination, what
/// each id owns, an override that has expired, three segments under three names in every combination.
fn universe() -> Checked<Vec<Record>> {
    let mut records = Vec::new();
    let ids = [FlagId::new(), FlagId::new(), FlagId::new()];
    for key in ["a", "b", "c"] {
        for id in ids {
            let mut flag = flag(key)?;
            flag.id = id;
            records.push(flag.into());
        }
    }
    for id in ids {
        for kind in Kind::OWNED {
            records.push(owned(kind, id)?);
        }
        let mut expired = override_of(id, "user", "u1")?;
        expired.expires_at = Some(at(-1));
        records.push(expired.into());
    }
    for id in [SegmentId::new(), SegmentId::new(), SegmentId::new()] {
        for name in ["x", "y", "z"] {
            let mut segment = segment(name)?;
            (segment.id, segment.name) = (id, segment_name(name)?);
            records.push(segment.into());
        }
    }
    Ok(records)
}

fn random_batch(
    random: &mut fastrand::Rng,
    round: usize,
    universe: &[Record],
    model: &Model,
    revisions: &Revisions,
    most: usize,
) -> Vec<ModelOp> {
    let (mut keys, mut aliases) = (HashSet::new(), HashSet::new());
    let mut batch = Vec::new();
    for place in 0..random.usize(1..=most) {
        // No value comes twice, so that no revision does (C4).
        let unique = u32::try_from(round * most + place).unwrap_or(u32::MAX);
        let record = edited(&universe[random.usize(..universe.len())], unique);
        let key = record.key();
        let put = random.u8(..10) < 6;
        // A key twice is C15's affair, and which of two puts loses a contested alias is nobody's.
        if !keys.insert(key.clone()) || (put && record.alias().is_some_and(|alias| !aliases.insert(alias))) {
            continue;
        }
        let (expect, revision) = random_expectation(random, &key, model.revision(&key), revisions);
        let op = match random.u8(..4) {
            _ if put => Op::Put(record, expect),
            0 => Op::Check(key, expect),
            _ => Op::Delete(key, expect),
        };
        batch.push(ModelOp { op, revision });
    }
    batch
}

/// A condition that holds more often than not, or a revision: the current one as a rule, else any that the
/// record ever had.
fn random_expectation(
    random: &mut fastrand::Rng,
    key: &Key,
    current: Option<u64>,
    revisions: &Revisions,
) -> (Expect, Option<u64>) {
    // Its own alone: two records may well have the same revision (C4).
    let former: Vec<u64> =
        revisions.iter().filter(|(_, (of, _))| of == key).map(|(number, _)| *number).collect();
    match (random.u8(..10), current) {
        (0..=4, _) => (Expect::Any, None),
        (5, _) => (Expect::Present, None),
        (6, _) | (7, None) => (Expect::Absent, None),
        (7..=8, Some(current)) if revisions.contains_key(&current) => (Expect::Any, Some(current)),
        _ => (Expect::Any, random.choice(former)),
    }
}

/// The operation as the store is given it.
fn with_revision(ModelOp { op, revision }: &ModelOp, revisions: &Revisions) -> Op {
    let Some((_, revision)) = revision.and_then(|number| revisions.get(&number)) else { return op.clone() };
    let expect = Expect::Revision(revision.clone());
    match op {
        Op::Delete(key, _) => Op::Delete(key.clone(), expect),
        Op::Put(record, _) => Op::Put(record.clone(), expect),
        op => Op::Check(op.key(), expect),
    }
}
