//! Export.

use std::collections::HashSet;

use super::Document;
use crate::error::{Error, Result};
use crate::name::FlagId;
use crate::record::{Kind, Record};
use crate::storage::Query;
use crate::store::FlagStore;

/// A store's records and, beside them, those that an import could not take.
#[derive(Debug)]
#[non_exhaustive]
pub struct Export {
    /// What could be read, and belongs together: an import takes all of it.
    pub document: Document,
    /// Records whose flag does not exist, as a writer of another library may leave them behind; or is one of
    /// [`corrupt`](Self::corrupt), so that they may still be wanted.
    pub orphans: Vec<Record>,
    /// One [`Corrupt`](crate::ErrorKind::Corrupt) error for each record that could not be read, naming its
    /// key.
    pub corrupt: Vec<Error>,
}

impl FlagStore {
    /// Reads the whole store. Not one snapshot: what is written meanwhile may or may not be in it.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied`, `Closed`. Records that cannot be read are beside the document.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time: it only reads.
    pub async fn export(&self) -> Result<Export> {
        let (mut records, mut corrupt) = (Vec::new(), Vec::new());
        // Flags last: what belongs to a flag that is created meanwhile is then never without it.
        for kind in Kind::ALL.into_iter().rev() {
            let listed = self.list_any(Query::All(kind)).await.map_err(|e| e.in_operation("export"))?;
            for item in listed {
                match item {
                    Ok(stored) => records.push(stored.record),
                    Err(unreadable) => corrupt.push(unreadable),
                }
            }
        }
        records.sort_by_cached_key(Record::key);
        let flags: HashSet<FlagId> = records.iter().filter_map(flag_id).collect();
        let (orphans, kept): (Vec<Record>, Vec<Record>) = records
            .into_iter()
            .partition(|record| record.owner().is_some_and(|owner| !flags.contains(&owner)));
        let mut document = Document::default();
        kept.into_iter().for_each(|record| document.push(record));
        Ok(Export { document, orphans, corrupt })
    }
}

/// The id of a flag; `None` of any other record.
pub(super) fn flag_id(record: &Record) -> Option<FlagId> {
    match record {
        Record::Flag(flag) => Some(flag.id),
        _ => None,
    }
}
