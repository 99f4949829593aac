//! [`Mending`]: a change of one index entry that loses nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use flags_core::storage::Remedy;
use flags_core::{Key, Result};

use super::super::RedisStorage;
use super::Found;
use crate::connection::Access;
use crate::deadline::within;
use crate::error::{Intent, from_failure, from_useless};
use crate::script::{MEND, sha1_hex};

/// A command on an index, and what must still hold for it.
#[derive(Debug)]
pub(super) struct Mending {
    /// The Redis keys of the record and of the index.
    keys: [Vec<u8>; 2],
    /// The digest of the record's value; empty where it must not exist.
    digest: String,
    /// What the field of a hash must say; empty where that does not matter.
    field: Vec<u8>,
    command: Vec<Vec<u8>>,
}

impl Mending {
    /// Where the record does not exist.
    pub(super) fn without(record: Vec<u8>, index: &str) -> Self {
        let keys = [record, index.into()];
        Self { keys, digest: String::new(), field: Vec::new(), command: Vec::new() }
    }

    /// Where the record still has that value.
    pub(super) fn with(record: Vec<u8>, value: &[u8], index: &str) -> Self {
        Self { digest: sha1_hex(value), ..Self::without(record, index) }
    }

    /// Provided that the field of the hash, the first argument, says this.
    pub(super) fn while_it_says(self, field: impl Into<Vec<u8>>) -> Self {
        Self { field: field.into(), ..self }
    }

    /// The command, without the key of the index.
    pub(super) fn by<A: Into<Vec<u8>>>(self, name: &str, args: impl IntoIterator<Item = A>) -> Self {
        let command = std::iter::once(name.into()).chain(args.into_iter().map(Into::into)).collect();
        Self { command, ..self }
    }

    fn args(&self) -> Vec<Arc<Vec<u8>>> {
        let conditions = [self.digest.clone().into_bytes(), self.field.clone()];
        conditions.into_iter().chain(self.command.iter().cloned()).map(Arc::new).collect()
    }
}

impl RedisStorage {
    /// Mends what can be, one at a time: whoever else uses the server is never kept waiting.
    pub(super) async fn mend(&self, found: &mut [Found]) -> Result<()> {
        for Found { finding, mending } in found {
            if let Some(mending) = mending {
                let changed = self.apply(mending).await.map_err(|error| match finding.key.clone() {
                    Some(key) => error.with_key(key),
                    None => error,
                })?;
                finding.remedy = if changed { Remedy::Mended } else { Remedy::Changed };
            }
        }
        Ok(())
    }

    async fn apply(&self, mending: &Mending) -> Result<bool> {
        self.check_open()?;
        let handed = AtomicBool::new(false);
        let run = async {
            let reply =
                MEND.run(&self.connection, &mending.keys, &mending.args(), Access::Write(&handed)).await;
            let (reply, _) = reply.map_err(|failure| from_failure(failure, Intent::Write))?;
            Ok(reply.int().map_err(from_useless)? == 1)
        };
        within(self.deadline, &handed, run).await
    }
}

/// The Redis key of a record, as bytes.
pub(super) fn redis_key(store: &RedisStorage, key: &Key) -> Vec<u8> {
    store.keyspace.record(key).into_bytes()
}
