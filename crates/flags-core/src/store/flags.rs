//! Flags.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};

use super::records::{refuse_problems, typed};
use super::retry::Retry;
use super::{FlagStore, Listing, Versioned};
use crate::error::{ErrorKind, Result};
use crate::model::{Flag, FlagStatus};
use crate::name::{FlagId, FlagKey};
use crate::record::{Alias, Key, Kind, Model};
use crate::storage::{Expect, Limit, Op, Query, Revision};

impl FlagStore {
    /// The flag of that key.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it cannot be read; `Unavailable`, `Denied`, `Closed`.
    pub async fn get_flag(&self, key: &FlagKey) -> Result<Option<Versioned<Flag>>> {
        self.read(&Key::Flag(key.clone())).await.map_err(|e| e.in_operation("get_flag"))
    }

    /// The flags of those keys, by key, in one request for every thousand or so. Those that do not exist are
    /// left out; one that cannot be read is there as its error.
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
    /// `AlreadyExists`; `Conflict` when another flag has its id; `Invalid`, naming the member; `Unavailable`,
    /// `Indeterminate`, `Denied`, `Closed`.
    pub async fn create_flag(&self, flag: Flag) -> Result<Versioned<Flag>> {
        self.create(flag, Expect::Absent).await.map_err(|e| e.in_operation("create_flag"))
    }

    /// Replaces a flag, stamping `updated_at`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` when it does not have the expected revision, or its id differs; those of
    /// [`create_flag`](Self::create_flag).
    pub async fn update_flag(&self, flag: Flag, expected: Option<&Revision>) -> Result<Versioned<Flag>> {
        self.update(flag, expected).await.map_err(|e| e.in_operation("update_flag"))
    }

    /// Creates a flag, or replaces the one of its key.
    ///
    /// A flag with `created_at`, as one that was read has, is written over whatever is there. One without, as
    /// [`Flag::new`] makes it, is new: where a flag of its key exists it takes over that flag's id,
    /// `created_at` and unknown members, and is written only if it differs, on the condition that nobody else
    /// wrote meanwhile (tried again until the deadline of
    /// [`with_modify_deadline`](Self::with_modify_deadline)). `updated_at` is stamped.
    ///
    /// # Errors
    ///
    /// `Conflict` when another flag has its id, or past the deadline; those of
    /// [`create_flag`](Self::create_flag), but for `AlreadyExists`.
    pub async fn upsert_flag(&self, flag: Flag) -> Result<Versioned<Flag>> {
        self.upsert(flag).await.map_err(|e| e.in_operation("upsert_flag"))
    }

    async fn upsert(&self, mut flag: Flag) -> Result<Versioned<Flag>> {
        if flag.created_at.is_some() {
            self.stamp_updated(&mut flag);
            self.refuse_new_problems(&flag).await?;
            return self.write(flag, Expect::Any, Vec::new()).await;
        }
        let key = flag.key();
        let mut retry = Retry::new(self);
        loop {
            match self.create(flag.clone(), Expect::Absent).await {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                // What is wrong with it may have been wrong before.
                Err(e) if e.kind() == ErrorKind::Invalid && e.limit().is_none() => {
                    match self.read::<Flag>(&key).await {
                        Ok(Some(_)) => {}
                        _ => return Err(e),
                    }
                }
                outcome => return outcome,
            }
            let Some(stored) = self.read::<Flag>(&key).await? else { continue };
            let merged = over(&stored, flag.clone());
            if merged == *stored {
                return Ok(stored);
            }
            match self.replace(&stored, merged).await {
                Err(e) if (e.is_stale() || e.kind() == ErrorKind::NotFound) && retry.may_go_on() => {
                    retry.wait().await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Deletes a flag and everything it owns (C6), telling whether there was one.
    ///
    /// Where it owns more than one commit can delete, what it owns goes first, in batches, each on the
    /// condition that the flag is as expected; the flag goes last. Interrupted, it can be repeated.
    ///
    /// # Errors
    ///
    /// `Conflict` when it does not have the expected revision, `NotFound` when one is expected and there is
    /// no flag; `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time. What fits one commit is then deleted wholly or not at all; of more, some
    /// of what the flag owns may be gone while the flag is still there: call it again.
    pub async fn delete_flag(&self, key: &FlagKey, expected: Option<&Revision>) -> Result<bool> {
        self.delete_with_owned(key, expected).await.map_err(|e| e.in_operation("delete_flag"))
    }

    pub(crate) async fn delete_with_owned(
        &self,
        name: &FlagKey,
        expected: Option<&Revision>,
    ) -> Result<bool> {
        let key = Key::Flag(name.clone());
        let mut retry = Retry::new(self);
        loop {
            let too_many = match self.delete(key.clone(), expected).await {
                Err(e) if e.limit() == Some(Limit::OwnedPerDelete) => e,
                outcome => return outcome,
            };
            match self.delete_owned(&key, expected).await {
                // Another deleter was faster: the next round says so.
                Err(e) if e.kind() == ErrorKind::NotFound && expected.is_none() => {}
                Err(e) => return Err(e),
                // Others may go on adding records while these are deleted; if there are none, nothing will
                // change.
                Ok(deleted) if deleted == 0 || !retry.may_go_on() => return Err(too_many),
                Ok(_) => {}
            }
            retry.wait().await;
        }
    }

    /// Deletes what the flag owns, in batches; says how many records that were.
    async fn delete_owned(&self, key: &Key, expected: Option<&Revision>) -> Result<usize> {
        let Some(flag) = self.read::<Flag>(key).await? else { return Ok(0) };
        // One operation of a batch is the check of the flag itself.
        let batch = self.storage.descriptor().limits().batch_ops.saturating_sub(1);
        let mut deleted = 0;
        if batch == 0 {
            return Ok(deleted);
        }
        for kind in Kind::OWNED {
            let owned = self.storage.list(Query::Owned(kind, flag.id));
            let keys = owned.map(|item| match item {
                Ok(stored) => Ok(stored.record.key()),
                // It can be deleted without being read.
                Err(e) if e.kind() == ErrorKind::Corrupt => e.key().cloned().ok_or(e),
                Err(e) => Err(e),
            });
            let mut chunks = std::pin::pin!(keys.try_chunks(batch));
            while let Some(chunk) = chunks.try_next().await.map_err(|stopped| stopped.1)? {
                deleted += chunk.len();
                let check = Op::Check(key.clone(), Expect::revision_or_present(expected));
                let deletes = chunk.into_iter().map(|owned| Op::Delete(owned, Expect::Any));
                self.storage.commit(std::iter::once(check).chain(deletes).collect()).await?;
            }
        }
        Ok(deleted)
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
        for mut flag in flags {
            self.stamp_created(&mut flag);
            refuse_problems(&flag, None)?;
            records.push(Arc::new(flag));
        }
        let puts = records.iter().map(|flag| Op::Put(Arc::clone(flag).into_record(), Expect::Absent));
        let effects = self.storage.commit(puts.collect()).await?;
        let created = records.into_iter().zip(effects);
        Ok(created.filter_map(|(flag, effect)| Some(Versioned::new(flag, effect.after?))).collect())
    }
}

/// A new flag in the place of a stored one.
fn over(stored: &Flag, mut new: Flag) -> Flag {
    new.id = stored.id;
    new.created_at = stored.created_at;
    // So that they compare; it is stamped when it is written.
    new.updated_at = stored.updated_at;
    for (name, value) in stored.extra.iter() {
        if new.extra.get(name).is_none() {
            new.extra.insert(name, value.clone());
        }
    }
    new
}
