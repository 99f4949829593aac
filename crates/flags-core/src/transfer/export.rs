//! Export.

use futures_util::StreamExt;

use super::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::record::{Kind, Record};
use crate::storage::Query;
use crate::store::FlagStore;

/// A store's records and, beside them, those that could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Export {
    /// What could be read.
    pub document: Document,
    /// One [`Corrupt`](ErrorKind::Corrupt) error for each record that could not, naming its key.
    pub corrupt: Vec<Error>,
}

impl FlagStore {
    /// Reads the whole store. Not one snapshot: what is written meanwhile may or may not be in it.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied`, `Closed`. Records that cannot be read are beside the document.
    pub async fn export(&self) -> Result<Export> {
        let (mut records, mut corrupt) = (Vec::new(), Vec::new());
        for kind in Kind::ALL {
            let mut items = self.storage().list(Query::All(kind));
            while let Some(item) = items.next().await {
                match item {
                    Ok(stored) => records.push(stored.record),
                    Err(error) if error.kind() == ErrorKind::Corrupt => corrupt.push(error),
                    Err(error) => return Err(error.in_operation("export")),
                }
            }
        }
        records.sort_by_cached_key(Record::key);
        let mut document = Document::default();
        records.into_iter().for_each(|record| document.push(record));
        Ok(Export { document, corrupt })
    }
}
