//! Flags.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;

use super::records::typed;
use super::{FlagStore, Listing, Versioned};
use crate::error::{Error, Result};
use crate::model::{Flag, FlagStatus};
use crate::name::{FlagId, FlagKey};
use crate::record::{Alias, Key, Kind};
use crate::storage::{Batch, Expect, Limit, Op, Query, Revision};

impl FlagStore {
    /// The flag of that key.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it cannot be read; `Unavailable`, `Denied`, `Closed`.
    pub async fn get_flag(&self, key: &FlagKey) -> Result<Option<Versioned<Flag>>> {
        self.read(&Key::Flag(key.clone())).await.map_err(|e| e.in_operation("get_flag"))
    }

    /// The flags of those keys, by key, in one request for every thousand or so. Those that do not exist are left
    /// out; one that cannot be read is there as its error.
    ///
    /// # Errors
    ///
    /// Those of [`get_flag`](Self::get_flag), but for `Corrupt`.
    pub async fn get_flags(&self, keys: &[FlagKey]) -> Result<BTreeMap<FlagKey, Result<Versioned<Flag>>>> {
        let wanted: Vec<Key> = keys.iter().cloned().map(Key::Flag).collect();
        let answers = self.read_all(&wanted).await.map_err(|e| e.in_operation("get_flags"))?;
        let mut flags = BTreeMap::new();
        for ((name, key), answer) in keys.iter().zip(&wanted).zip(answers) {
            if let Some(flag) = answer.transpose() {
                flags.insert(name.clone(), flag.and_then(|stored| typed(key, stored)));
            }
        }
        Ok(flags)
    }

    /// The flag of that id.
    ///
    /// # Errors
    ///
    /// Those of [`get_flag`](Self::get_flag).
    pub async fn get_flag_by_id(&self, id: FlagId) -> Result<Option<Versioned<Flag>>> {
        self.find(Query::Alias(Alias::FlagId(id))).await.map_err(|e| e.in_operation("get_flag_by_id"))
    }

    /// Every flag, by key.
    ///
    /// # Errors
    ///
    /// Those of [`get_flag`](Self::get_flag), but for `Corrupt`, which is in the listing.
    pub async fn get_all_flags(&self) -> Result<Listing<Flag>> {
        let mut listing: Listing<Flag> =
            self.list(Query::All(Kind::Flag)).await.map_err(|e| e.in_operation("get_all_flags"))?;
        listing.records.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(listing)
    }

    /// Every flag whose status is active, by key.
    ///
    /// # Errors
    ///
    /// Those of [`get_all_flags`](Self::get_all_flags).
    pub async fn get_all_active_flags(&self) -> Result<Listing<Flag>> {
        let mut listing = self.get_all_flags().await.map_err(|e| e.in_operation("get_all_active_flags"))?;
        listing.records.retain(|flag| flag.status == FlagStatus::Active);
        Ok(listing)
    }

    /// Creates a flag, stamping `created_at` and `updated_at` where they are absent.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; `Conflict` when another flag has its id; `Invalid`, naming the member; `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn create_flag(&self, flag: Flag) -> Result<Versioned<Flag>> {
        self.create(flag, Expect::Absent).await.map_err(|e| e.in_operation("create_flag"))
    }

    /// Replaces a flag, stamping `updated_at`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` when it does not have the expected revision, or its id differs; those of [`create_flag`](Self::create_flag).
    pub async fn update_flag(&self, flag: Flag, expected: Option<&Revision>) -> Result<Versioned<Flag>> {
        self.update(flag, expected).await.map_err(|e| e.in_operation("update_flag"))
    }

    /// Creates or replaces a flag, stamping `updated_at`, and `created_at` where it is absent.
    ///
    /// # Errors
    ///
    /// Those of [`create_flag`](Self::create_flag), but for `AlreadyExists`.
    pub async fn upsert_flag(&self, mut flag: Flag) -> Result<Versioned<Flag>> {
        self.stamp_updated(&mut flag);
        self.stamp_created(&mut flag);
        let flag = std::sync::Arc::new(flag);
        let key = Key::Flag(flag.key.clone());
        let upserted = match self.refuse_problems(&flag, Some(&key)).await {
            Ok(()) => self.write(flag, Expect::Any).await,
            Err(error) => Err(error),
        };
        upserted.map_err(|e| e.in_operation("upsert_flag"))
    }

    /// Deletes a flag and everything it owns (C6), telling whether there was one.
    ///
    /// Where it owns more than one commit can delete, what it owns goes first, in batches, each on the
    /// condition that the flag is as expected; the flag goes last. Interrupted, it can be repeated.
    ///
    /// # Errors
    ///
    /// `Conflict` when it does not have the expected revision, `NotFound` when one is expected and there is no flag;
    /// `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn delete_flag(&self, key: &FlagKey, expected: Option<&Revision>) -> Result<bool> {
        self.delete_with_owned(key, expected).await.map_err(|e| e.in_operation("delete_flag"))
    }

    pub(crate) async fn delete_with_owned(
        &self,
        name: &FlagKey,
        expected: Option<&Revision>,
    ) -> Result<bool> {
        let key = Key::Flag(name.clone());
        let started = self.clock.now();
        loop {
            match self.delete(key.clone(), expected).await {
                // Others may go on adding records while these are deleted.
                Err(e) if e.limit() == Some(Limit::OwnedPerDelete) && !self.out_of_time(started) => {
                    self.delete_owned(&key, expected, e).await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Deletes what the flag owns, in batches.
    async fn delete_owned(&self, key: &Key, expected: Option<&Revision>, too_many: Error) -> Result<()> {
        let Some(flag) = self.read::<Flag>(key).await? else { return Ok(()) };
        // One operation of a batch is the check of the flag itself.
        let batch = self.storage.descriptor().limits().batch_ops.saturating_sub(1);
        if batch == 0 {
            return Err(too_many);
        }
        for kind in Kind::OWNED {
            let owned = self.storage.list(Query::Owned(kind, flag.id));
            let keys = owned.map_ok(|stored| stored.record.key());
            let mut chunks = std::pin::pin!(keys.try_chunks(batch));
            while let Some(chunk) = chunks.try_next().await.map_err(|stopped| stopped.1)? {
                let check = Op::Check(key.clone(), Expect::revision_or_present(expected));
                let deletes = chunk.into_iter().map(|owned| Op::Delete(owned, Expect::Any));
                self.storage.commit(std::iter::once(check).chain(deletes).collect()).await?;
            }
        }
        Ok(())
    }

    /// Creates flags in one commit: all of them or none. Stamps and checks each as
    /// [`create_flag`](Self::create_flag) does.
    ///
    /// # Errors
    ///
    /// Those of [`create_flag`](Self::create_flag), naming the first flag that was refused.
    pub async fn create_flags(&self, flags: Vec<Flag>) -> Result<Vec<Versioned<Flag>>> {
        self.create_all(flags).await.map_err(|e| e.in_operation("create_flags"))
    }

    async fn create_all(&self, flags: Vec<Flag>) -> Result<Vec<Versioned<Flag>>> {
        let mut records = Vec::with_capacity(flags.len());
        let mut batch = Batch::new();
        for mut flag in flags {
            self.stamp_created(&mut flag);
            let flag = std::sync::Arc::new(flag);
            self.refuse_problems(&flag, None).await?;
            batch = batch.with(Op::Put(crate::record::Record::Flag(flag.clone()), Expect::Absent));
            records.push(flag);
        }
        let effects = self.storage.commit(batch).await?;
        Ok(records
            .into_iter()
            .zip(effects)
            .filter_map(|(flag, effect)| Some(Versioned::new(flag, effect.after?)))
            .collect())
    }
}
