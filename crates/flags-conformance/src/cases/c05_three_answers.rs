//! C5: absent, unreadable and unreachable are three different answers.

use flags_core::storage::{Expect, Revision};
use flags_core::{ErrorKind, Key, Record};

use crate::case::cases;
use crate::context::Context;
use crate::records::{WORDS_OF_PUSHES, edited, flag, flags, keys, one_of_each};
use crate::stop::{Checked, Stop, ensure, equal, fail, short, unexpected};
use crate::store::bounded;

cases! { C5:
    c05_get_answers_in_the_order_of_the_keys,
    c05_get_of_nothing_answers_nothing,
    c05_a_corrupt_record_is_an_error_of_its_own,
    c05_every_kind_of_damage_is_corrupt,
    c05_a_body_that_names_another_key_is_corrupt,
    c05_stored_bytes_that_read_like_a_push_are_stored_bytes,
    c05_an_unreachable_store_is_an_error_of_the_call,
}

async fn c05_get_answers_in_the_order_of_the_keys(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    let missing = Record::from(flag("missing")?).key();
    let mut asked: Vec<Key> = keys(&records);
    asked.reverse();
    asked.insert(2, missing.clone());
    asked.extend(keys(&records));
    asked.push(missing);
    for (key, answer) in asked.iter().zip(ctx.store.get_all(&asked).await?) {
        let came = answer.map_err(|error| unexpected("get of many", &error))?.map(|stored| stored.record);
        let expected = records.iter().find(|record| record.key() == *key).cloned();
        equal(&format!("the answer for {key}, asked for among others and twice"), &came, &expected)?;
    }
    Ok(())
}

async fn c05_get_of_nothing_answers_nothing(ctx: &Context) -> Checked {
    ctx.store.get_all(&[]).await?;
    for record in one_of_each("a")? {
        ctx.store.absent("of an empty store", &record.key()).await?;
    }
    Ok(())
}

async fn c05_a_corrupt_record_is_an_error_of_its_own(ctx: &Context) -> Checked {
    let records = one_of_each("a")?;
    ctx.store.fill(&records).await?;
    let all = keys(&records);
    // The flag last: without it the others may be found to have no owner.
    for (broken, record) in records.iter().enumerate().rev() {
        ctx.spoil(record, "not json").await?;
        for (n, answer) in ctx.store.get_all(&all).await?.into_iter().enumerate() {
            match answer {
                Err(error) if n >= broken && error.kind() == ErrorKind::Corrupt => {
                    equal("the key that the error names", &error.key(), &Some(&all[n]))?;
                    ensure!(
                        error.revision().is_some(),
                        "the error of {}: expected its revision, came none",
                        all[n]
                    );
                }
                Ok(Some(stored)) if n < broken => {
                    equal("a record beside a corrupt one", &stored.record, &records[n])?;
                }
                other => fail!(
                    "get of {} with the records from {} on corrupt: came {}",
                    all[n],
                    all[broken],
                    short(&other)
                ),
            }
        }
    }
    Ok(())
}

async fn c05_every_kind_of_damage_is_corrupt(ctx: &Context) -> Checked {
    let sound = Record::from(flag("f")?);
    let key = sound.key();
    let text = encoded(&sound)?;
    let damaged: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        b"\xff\xfe".to_vec(),
        text.as_bytes()[..text.len() - 1].to_vec(),
        format!("{text}{text}").into_bytes(),
        text.replace("\"boolean\"", "\"a type of a later version\"").into_bytes(),
        text.replace("\"metadata\":{}", "\"metadata\":NaN").into_bytes(),
        text.replace("\"metadata\":{}", r#""metadata":"\ud800""#).into_bytes(),
        text.replace("\"default_enabled\":false", "\"default_enabled\":\"no\"").into_bytes(),
        text.replace("\"created_at\":null", "\"created_at\":\"soon\"").into_bytes(),
    ];
    let mut last: Option<Revision> = None;
    for bytes in damaged {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        ensure!(bytes != text.as_bytes(), "the suite's own damage did nothing: {shown}");
        if !ctx.plants(&key, &bytes).await? {
            continue;
        }
        let error = ctx.store.corrupt(&key).await?;
        let revision = error.revision().cloned();
        ensure!(
            revision.is_some() && revision != last,
            "{shown}: expected a revision of its own, came {revision:?}"
        );
        last = revision;
    }
    // Ignored here if none of it could be planted.
    ctx.plant(&key, text).await?;
    ctx.store.holds("after a foreign repair", &sound).await?;
    Ok(())
}

async fn c05_a_body_that_names_another_key_is_corrupt(ctx: &Context) -> Checked {
    let (ours, theirs) = (one_of_each("a")?, one_of_each("b")?);
    ctx.store.fill(&ours).await?;
    for (ours, theirs) in ours.iter().zip(&theirs).rev() {
        ctx.plant(&ours.key(), encoded(theirs)?).await?;
        let what = format!("the body of {} under {}", theirs.key(), ours.key());
        let error = ctx.store.corrupt(&ours.key()).await?;
        equal(&format!("{what}: the key that the error names"), &error.key(), &Some(&ours.key()))?;
        ctx.store.absent(&what, &theirs.key()).await?;
    }
    Ok(())
}

async fn c05_stored_bytes_that_read_like_a_push_are_stored_bytes(ctx: &Context) -> Checked {
    let (sound, records) = (Record::from(flag("sound")?), flags(6, "f")?);
    ctx.store.put(&sound, Expect::Absent).await?;
    ctx.store.fill(&records).await?;
    let all = keys(&records);
    for (first, others) in WORDS_OF_PUSHES.iter().flat_map(|word| [(*word, *word), ("pubsub", *word)]) {
        for (n, key) in all.iter().enumerate() {
            ctx.plant(key, if n == 0 { first } else { others }).await?;
        }
        // However many there are beside each other, and whatever follows.
        for some in (1..=all.len()).map(|count| &all[..count]) {
            let asked: Vec<Key> =
                some.iter().cloned().chain((some.len() == 2).then(|| sound.key())).collect();
            for (key, answer) in asked.iter().zip(ctx.store.get_all(&asked).await?) {
                match answer {
                    Err(error) if error.kind() == ErrorKind::Corrupt && *key != sound.key() => {
                        equal("the key that the error names", &error.key(), &Some(key))?;
                    }
                    Ok(Some(stored)) if *key == sound.key() => {
                        equal("a record beside corrupt ones", &stored.record, &sound)?;
                    }
                    other => fail!(
                        "get of {} of which the first is {first:?}, the others {others:?}: came {} for {key}",
                        short(&asked),
                        short(&other)
                    ),
                }
            }
            ctx.store.holds("after such bytes were read", &sound).await?;
        }
        // They are replaced and deleted like any that are corrupt.
        let revision = ctx.store.corrupt(&all[0]).await?.revision().cloned();
        let expect = revision.map_or(Expect::Present, Expect::Revision);
        ctx.store.put(&records[0], expect).await?;
        ctx.store.holds("in the place of such bytes", &records[0]).await?;
        ctx.store.delete(&all[1], Expect::Present).await?;
        ctx.store.absent("such bytes, deleted", &all[1]).await?;
    }
    Ok(())
}

async fn c05_an_unreachable_store_is_an_error_of_the_call(ctx: &Context) -> Checked {
    let record = Record::from(flag("f")?);
    ctx.store.put(&record, Expect::Absent).await?;
    ctx.store.put(&edited(&record, 1), Expect::Present).await?;
    ctx.store.handle.close().await.map_err(|error| unexpected("close", &error))?;
    match bounded("get after close", ctx.store.handle.get(&[record.key()])).await? {
        Err(_) => Ok(()),
        Ok(answers) => Err(Stop::failed(format!(
            "get after close: expected an error of the call, came {}",
            short(&answers)
        ))),
    }
}

fn encoded(record: &Record) -> Checked<String> {
    let bytes = record.encode().map_err(|error| unexpected("encoding a record", &error))?;
    String::from_utf8(bytes).map_err(|error| Stop::failed(format!("the suite's own record: {error}")))
}
