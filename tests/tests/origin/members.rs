//! Members that the origin does not know: ours, and those of versions to come.

use anyhow::{Context as _, Result};
use flags_core::{Json, Record};
use serde_json::json;

use crate::common::{Pair, USERS, assert_same, at, by_key, change, flag, head, phase, schedule, user};

/// One record of each kind with everything that the origin does not know.
fn extended() -> Result<Vec<Record>> {
    let future: Json = r#"{"of": [1180591620717411303424, 1.50]}"#.parse()?;
    let mut flag = flag("a");
    flag.extra.insert("x_future", future.clone());
    let id = flag.id;
    let mut over = user(id, USERS[0]);
    over.extra.insert("x_future", future.clone());
    let mut change = change(id);
    change.error = Some("it could not be applied".to_owned());
    change.extra.insert("x_future", future.clone());
    let mut phase = phase(id, 1);
    phase.error = Some("it could not be applied".to_owned());
    let mut schedule = schedule(id, "nights");
    schedule.valid_from = Some(at("2030-01-01T00:00:00+00:00"));
    schedule.valid_until = Some(at("2031-01-01T00:00:00.5+00:00"));
    schedule.extra.insert("x_future", future);
    Ok(vec![flag.into(), over.into(), change.into(), phase.into(), schedule.into()])
}

/// The same records with what the origin knows of them alone.
fn plain(record: Record) -> Record {
    match record {
        Record::Flag(r) => {
            let mut r = (*r).clone();
            r.extra = flags_core::Extra::default();
            r.into()
        }
        Record::Override(r) => {
            let mut r = (*r).clone();
            r.extra = flags_core::Extra::default();
            r.into()
        }
        Record::ScheduledChange(r) => {
            let mut r = (*r).clone();
            (r.extra, r.error) = (flags_core::Extra::default(), None);
            r.into()
        }
        Record::TimeSchedule(r) => {
            let mut r = (*r).clone();
            (r.extra, r.valid_from, r.valid_until) = (flags_core::Extra::default(), None, None);
            r.into()
        }
        Record::RolloutPhase(r) => {
            let mut r = (*r).clone();
            (r.extra, r.error) = (flags_core::Extra::default(), None);
            r.into()
        }
        other => other,
    }
}

#[tokio::test]
async fn we_keep_them_and_they_neither_stumble_nor_harm() -> Result<()> {
    let mut p = Pair::new().await?;
    let mut written = Vec::new();
    for record in extended()? {
        written.push(p.we_create(&record).await?);
    }
    let flag = head(&written);
    assert_same(&p.we_see(&flag).await?, &by_key(written.clone()), "we see");
    // They see the rest.
    let known = by_key(written.iter().cloned().map(plain));
    assert_same(&p.they_see(&flag, &USERS)?, &known, "they see");

    // Our rewrites keep them.
    let modified = p.ours.modify_flag(&flag.key, |flag| {
        flag.default_enabled = true;
        Ok(())
    });
    let modified = modified.await?;
    assert_eq!(modified.extra, flag.extra);
    let Record::ScheduledChange(planned) = &written[2] else { unreachable!("in this order") };
    let mut planned = (**planned).clone();
    planned.executed = true;
    let planned = p.ours.update_scheduled_change(planned, None).await?;
    let stored = p.ours.get_scheduled_change(planned.id).await?.context("stored")?;
    assert_eq!((&stored.error, stored.extra.len()), (&planned.error, 1));

    // Theirs lose them, and nothing else.
    for record in &written {
        let rewritten = p.they_create(record)?;
        assert_eq!(rewritten, plain(record.clone()));
        let found = p.get(&record.key()).await?.context("stored")?;
        assert_eq!(found.record, rewritten);
    }
    assert_same(&p.we_see(&flag).await?, &known, "what is left");
    Ok(())
}

#[tokio::test]
async fn what_another_program_added_to_their_record_survives_us() -> Result<()> {
    let mut p = Pair::new().await?;
    let theirs = p.theirs.write("create_flag", &flag("a"))?;
    let raw: String = p.raw(&["GET", "P flag:a"]).await?;
    let raw = raw.replacen('{', r#"{"x_first": 1.50, "#, 1);
    let _: () = p.raw(&["SET", "P flag:a", &raw]).await?;
    let modified = p.ours.modify_flag(&theirs.key, |flag| {
        flag.default_enabled = true;
        Ok(())
    });
    modified.await?;
    let raw: String = p.raw(&["GET", "P flag:a"]).await?;
    assert!(raw.contains(r#""x_first":1.50"#), "{raw}");
    assert!(p.theirs.one::<flags_core::Flag>("get_flag", &[json!("a")])?.context("there")?.default_enabled);
    Ok(())
}
