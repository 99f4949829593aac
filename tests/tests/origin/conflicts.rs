//! A write of the origin between our read and our write is seen, though it knows nothing of revisions (C3,
//! C4).

use anyhow::{Context as _, Result};
use flags_core::storage::{Batch, Expect};
use flags_core::{ErrorKind, Flag, Record, Storage as _, Versioned};
use serde_json::json;

use crate::common::{Pair, change, flag, user};

#[tokio::test]
async fn an_update_on_a_stale_revision_is_a_conflict() -> Result<()> {
    let mut p = Pair::new().await?;
    let ours = p.ours.create_flag(flag("a")).await?;
    let mut theirs = (*ours).clone();
    theirs.tags.push("theirs".to_owned());
    let theirs = p.theirs.write("update_flag", &theirs)?;

    let mut edit = (*ours).clone();
    edit.tags.push("ours".to_owned());
    let error = p.ours.update_flag(edit, Some(ours.revision())).await.unwrap_err();
    assert_eq!((error.kind(), error.is_stale()), (ErrorKind::Conflict, true));
    let error = p.ours.delete_flag(&ours.key, Some(ours.revision())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(p.ours.get_flag(&ours.key).await?.map(Versioned::into_value), Some(theirs.clone()));

    // Rewriting the very same content is a write too: it stamps it.
    let read = p.ours.get_flag(&ours.key).await?.context("there")?;
    p.theirs.write("update_flag", &theirs)?;
    let error = p.ours.delete_flag(&ours.key, Some(read.revision())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);

    // And a deletion is one.
    let read = p.ours.get_flag(&ours.key).await?.context("there")?;
    assert!(p.theirs.ask("delete_flag", &[json!("a")])?);
    let error = p.ours.update_flag((*read).clone(), Some(read.revision())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    Ok(())
}

#[tokio::test]
async fn a_batch_that_checks_what_they_changed_changes_nothing() -> Result<()> {
    let mut p = Pair::new().await?;
    let owner = p.ours.create_flag(flag("a")).await?;
    let over = p.ours.create_override(user(owner.id, "x")).await?;
    let mut planned = p.ours.create_scheduled_change(change(owner.id)).await?.into_value();
    p.theirs.write("create_override", &user(owner.id, "x"))?;
    let before = p.snapshot().await?;

    planned.executed = true;
    let check = Record::from((*over).clone()).key();
    let batch = Batch::new().put(planned, Expect::Present).put(flag("b"), Expect::Absent);
    let batch = batch.check(check, Expect::Revision(over.revision().clone()));
    assert_eq!(p.storage.commit(batch).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(p.snapshot().await?, before);
    Ok(())
}

#[tokio::test]
async fn modify_flag_reads_again_and_keeps_both_edits() -> Result<()> {
    let mut p = Pair::new().await?;
    let created = p.ours.create_flag(flag("a")).await?.into_value();
    let (theirs, mut tries) = (&mut p.theirs, 0);
    let modified = p.ours.modify_flag(&created.key, |flag| {
        tries += 1;
        if tries <= 3 {
            // Between our read and our write.
            let mut edit: Flag = flag.clone();
            edit.tags.push(format!("theirs {tries}"));
            theirs.write("update_flag", &edit).expect("the origin writes");
        }
        flag.tags.push("ours".to_owned());
        Ok(())
    });
    assert_eq!(modified.await?.tags, ["theirs 1", "theirs 2", "theirs 3", "ours"]);
    assert_eq!(tries, 4);
    let seen = p.theirs.one::<Flag>("get_flag", &[json!("a")])?.context("there")?;
    assert_eq!(seen.tags.len(), 4);
    Ok(())
}
