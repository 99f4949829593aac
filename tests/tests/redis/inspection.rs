//! What an inspection finds and mends.

use anyhow::Result;
use flags_core::storage::{Finding, Flaw, Query, Remedy};
use flags_core::{Kind, Record};
use flags_redis::RedisStorage;
use futures_util::TryStreamExt as _;

use crate::common::{Fixture, change, flag, listed, phase, put, user};

async fn inspect(store: &RedisStorage, mend: bool) -> Result<Vec<Finding>> {
    Ok(store.inspect(mend).try_collect().await?)
}

/// What was found, in order: the flaw and its place without the prefix.
fn places(fixture: &Fixture, found: &[Finding]) -> Vec<(Flaw, String)> {
    let mut places: Vec<_> =
        found.iter().map(|finding| (finding.flaw, finding.place.replacen(&fixture.prefix, "", 1))).collect();
    places.sort_by(|a, b| (a.0.as_str(), &a.1).cmp(&(b.0.as_str(), &b.1)));
    places
}

/// A store with a record of every kind that is owned, and what the records are.
async fn filled(fixture: &Fixture) -> Result<Vec<Record>> {
    let owner = flag("a");
    let records = vec![
        Record::from(owner.clone()),
        user(owner.id, "x").into(),
        change(owner.id).into(),
        phase(owner.id).into(),
    ];
    for record in &records {
        put(&fixture.store, record.clone()).await?;
    }
    Ok(records)
}

#[tokio::test]
async fn a_store_that_only_we_wrote_has_no_flaws() -> Result<()> {
    let fixture = Fixture::new().await?;
    filled(&fixture).await?;
    for mend in [false, true] {
        assert_eq!(inspect(&fixture.store, mend).await?, []);
    }
    Ok(())
}

#[tokio::test]
async fn entries_without_records_are_removed_and_no_record_is() -> Result<()> {
    let fixture = Fixture::new().await?;
    let records = filled(&fixture).await?;
    let owner = records[0].key();
    let gone = uuid::Uuid::new_v4().to_string();
    fixture.raw::<()>(&["SADD", "P flags", "ghost"]).await?;
    fixture.raw::<()>(&["SADD", "P schedules", &gone, "no name"]).await?;
    fixture.raw::<()>(&["SADD", &format!("P rollout_phases:flag:{gone}"), &gone]).await?;
    fixture.raw::<()>(&["ZADD", "P overrides", "+inf", &format!("{gone}:user:x")]).await?;
    fixture.raw::<()>(&["HSET", "P ids", &gone, "ghost"]).await?;
    let before = fixture.keys().await?;

    let found = inspect(&fixture.store, false).await?;
    let expected = [
        (Flaw::Dangling, "flags".to_owned()),
        (Flaw::Dangling, "overrides".to_owned()),
        (Flaw::Dangling, format!("rollout_phases:flag:{gone}")),
        (Flaw::Dangling, "schedules".to_owned()),
        (Flaw::Dangling, "schedules no name".to_owned()),
        (Flaw::StaleAlias, format!("ids {gone}")),
    ];
    assert_eq!(places(&fixture, &found), expected);
    assert!(found.iter().all(|finding| finding.remedy == Remedy::Mendable), "{found:?}");
    assert_eq!(fixture.keys().await?, before, "it only looked");

    let mended = inspect(&fixture.store, true).await?;
    assert_eq!(places(&fixture, &mended), expected);
    assert!(mended.iter().all(|finding| finding.remedy == Remedy::Mended), "{mended:?}");
    assert_eq!(inspect(&fixture.store, false).await?, []);
    assert_eq!(listed(&fixture.store, Query::All(Kind::Flag)).await?, [owner]);
    for record in records {
        assert_eq!(listed(&fixture.store, Query::All(record.kind())).await?, [record.key()]);
    }
    Ok(())
}

#[tokio::test]
async fn records_outside_their_indexes_are_entered() -> Result<()> {
    let fixture = Fixture::new().await?;
    let records = filled(&fixture).await?;
    let Record::Flag(owner) = &records[0] else { unreachable!("the first is the flag") };
    let indexes = ["overrides", "schedules", "rollout_phases"];
    for index in indexes.iter().chain(&["flags", "ids"]) {
        fixture.raw::<()>(&["DEL", &format!("P {index}"), &format!("P {index}:flag:{}", owner.id)]).await?;
    }
    // One that ends, as the origin leaves it: its key says when.
    let mut ending = user(owner.id, "ending");
    ending.expires_at = flags_core::Timestamp::from_unix_micros(4_000_000_000_000_000);
    let ending = Record::from(ending);
    let place = format!("P override:{}:user:ending", owner.id);
    fixture.raw::<()>(&["SET", &place, &String::from_utf8(ending.encode()?)?]).await?;

    let found = inspect(&fixture.store, true).await?;
    let mut expected: Vec<_> = indexes
        .iter()
        .flat_map(|index| [(*index).to_owned(), format!("{index}:flag:{}", owner.id)])
        .chain(["flags".to_owned(), format!("ids {}", owner.id)])
        .chain(["overrides".to_owned(), format!("overrides:flag:{}", owner.id)])
        .map(|place| (Flaw::Unindexed, place))
        .collect();
    expected.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(places(&fixture, &found), expected);
    assert_eq!(inspect(&fixture.store, false).await?, []);
    let indexed = fixture.indexed().await?;
    let mut overrides = vec![records[1].key(), ending.key()];
    overrides.sort();
    assert_eq!(listed(&indexed, Query::Owned(Kind::Override, owner.id)).await?, overrides);
    let score: f64 = fixture.raw(&["ZSCORE", "P overrides", &format!("{}:user:ending", owner.id)]).await?;
    assert_eq!(score, 3_999_999_999_999.0);
    for record in &records[2..] {
        assert_eq!(listed(&indexed, Query::Owned(record.kind(), owner.id)).await?, [record.key()]);
    }
    Ok(())
}

#[tokio::test]
async fn what_another_flag_owns_leaves_the_wrong_index() -> Result<()> {
    let fixture = Fixture::new().await?;
    let records = filled(&fixture).await?;
    let other = flag("b");
    put(&fixture.store, other.clone()).await?;
    let Record::ScheduledChange(scheduled) = &records[2] else { unreachable!("the third is the change") };
    let index = format!("schedules:flag:{}", other.id);
    fixture.raw::<()>(&["SADD", &format!("P {index}"), &scheduled.id.to_string()]).await?;

    let found = inspect(&fixture.store, true).await?;
    assert_eq!(places(&fixture, &found), [(Flaw::Misplaced, index)]);
    assert_eq!(found[0].key, Some(records[2].key()));
    assert_eq!(inspect(&fixture.store, false).await?, []);
    assert_eq!(listed(&fixture.store, Query::All(Kind::ScheduledChange)).await?, [records[2].key()]);
    Ok(())
}

#[tokio::test]
async fn what_somebody_has_to_decide_is_left_as_it_is() -> Result<()> {
    let fixture = Fixture::new().await?;
    let records = filled(&fixture).await?;
    let Record::Flag(owner) = &records[0] else { unreachable!("the first is the flag") };
    // Another flag of the same id, a list in the place of a flag, and one in that of an index.
    let mut twin = flag("twin");
    twin.id = owner.id;
    let twin = String::from_utf8(Record::from(twin).encode()?)?;
    fixture.raw::<()>(&["SET", "P flag:twin", &twin]).await?;
    fixture.raw::<()>(&["SADD", "P flags", "twin", "list"]).await?;
    fixture.raw::<()>(&["RPUSH", "P flag:list", "x"]).await?;
    fixture.raw::<()>(&["RPUSH", "P segments", "x"]).await?;
    let before = fixture.keys().await?;

    for _ in 0..2 {
        let found = inspect(&fixture.store, true).await?;
        let expected = [
            (Flaw::SharedAlias, format!("ids {}", owner.id)),
            (Flaw::WrongType, "flag:list".to_owned()),
            (Flaw::WrongType, "segments".to_owned()),
        ];
        assert_eq!(places(&fixture, &found), expected);
        assert!(found.iter().all(|finding| finding.remedy == Remedy::ByHand), "{found:?}");
        assert_eq!(fixture.keys().await?, before);
    }
    Ok(())
}

#[tokio::test]
async fn a_corrupt_record_and_an_expired_one_are_no_flaws_of_the_indexes() -> Result<()> {
    let fixture = Fixture::new().await?;
    let records = filled(&fixture).await?;
    let Record::Flag(owner) = &records[0] else { unreachable!("the first is the flag") };
    fixture.raw::<()>(&["SET", "P flag:a", "{"]).await?;
    // As the server leaves the entry of one whose key has just expired.
    let member = format!("{}:user:over", owner.id);
    fixture.raw::<()>(&["ZADD", "P overrides", "1000", &member]).await?;
    assert_eq!(inspect(&fixture.store, true).await?, []);
    assert_eq!(fixture.raw::<Option<f64>>(&["ZSCORE", "P overrides", &member]).await?, Some(1000.0));
    Ok(())
}

#[tokio::test]
async fn more_than_one_page_is_looked_at() -> Result<()> {
    let fixture = Fixture::new().await?;
    let mut commands = redis::pipe();
    for n in 0..2_000 {
        let record = Record::from(flag(&format!("f{n}")));
        commands.set(format!("{}flag:f{n}", fixture.prefix), record.encode()?).ignore();
        commands.sadd(format!("{}flags", fixture.prefix), format!("ghost{n}")).ignore();
    }
    commands.query_async::<()>(&mut fixture.raw.clone()).await?;
    let found = inspect(&fixture.store, true).await?;
    let number = |flaw| found.iter().filter(|finding| finding.flaw == flaw).count();
    assert_eq!((number(Flaw::Dangling), number(Flaw::Unindexed), found.len()), (2_000, 4_000, 6_000));
    assert_eq!(inspect(&fixture.store, false).await?, []);
    assert_eq!(listed(&fixture.store, Query::All(Kind::Flag)).await?.len(), 2_000);
    Ok(())
}
