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
    let exit = if export.corrupt.is_empty() { Exit::Ok } else { Exit::Failed };
    for error in export.corrupt {
        session.out.failure(&error.in_operation("export").into());
    }
    Ok(exit)
}
