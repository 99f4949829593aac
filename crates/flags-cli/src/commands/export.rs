//! `flags export`.

use super::Session;
use crate::failure::{Exit, Failure};
use crate::store::ownerless;

pub(super) async fn run(session: &Session) -> Result<Exit, Failure> {
    let export = session.store.export().await?;
    session.out.text(&export.document.to_json()?)?;
    for orphan in &export.orphans {
        session.out.warning(&ownerless(&orphan.key()));
    }
    for error in &export.corrupt {
        session.out.failure(&error.into());
    }
    Ok(if export.corrupt.is_empty() { Exit::Ok } else { Exit::Failed })
}
