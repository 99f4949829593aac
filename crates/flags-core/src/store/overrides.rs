//! Overrides.

use super::{FlagStore, Listing, Versioned};
use crate::error::Result;
use crate::model::{Flag, Override};
use crate::name::{EntityId, EntityType, FlagId};
use crate::record::{Key, Kind};
use crate::storage::{Expect, Query, Revision};

impl FlagStore {
    /// The override of that flag for that entity, unless it has expired.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it cannot be read; `Unavailable`, `Denied`, `Closed`.
    pub async fn get_override(
        &self,
        flag_id: FlagId,
        entity_type: &EntityType,
        entity_id: &EntityId,
    ) -> Result<Option<Versioned<Override>>> {
        let key = Key::Override(flag_id, entity_type.clone(), entity_id.clone());
        self.read(&key).await.map_err(|e| e.in_operation("get_override"))
    }

    /// The overrides of every flag for that entity, by flag id.
    ///
    /// Reads the flags, and then all that there could be, by key: it needs no index, so it finds the origin's
    /// too.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied`, `Closed`. Flags and overrides that cannot be read are in the listing.
    pub async fn get_overrides_for_entity(
        &self,
        entity_type: &EntityType,
        entity_id: &EntityId,
    ) -> Result<Listing<Override>> {
        let overrides = self.overrides_for_entity(entity_type, entity_id).await;
        overrides.map_err(|e| e.in_operation("get_overrides_for_entity"))
    }

    async fn overrides_for_entity(
        &self,
        entity_type: &EntityType,
        entity_id: &EntityId,
    ) -> Result<Listing<Override>> {
        let flags: Listing<Flag> = self.list(Query::All(Kind::Flag)).await?;
        let mut ids: Vec<FlagId> = flags.iter().map(|flag| flag.id).collect();
        ids.sort_unstable();
        let keys: Vec<Key> =
            ids.into_iter().map(|id| Key::Override(id, entity_type.clone(), entity_id.clone())).collect();
        let mut listing = Listing::new();
        listing.corrupt = flags.corrupt;
        for answer in self.read_all(&keys).await? {
            if let Some(item) = answer.transpose() {
                listing.add(item)?;
            }
        }
        Ok(listing)
    }

    /// The overrides of that flag, by entity type, then entity id.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied`, `Closed`. Overrides that cannot be read are in the listing where the backend
    /// can tell whose they are.
    pub async fn get_overrides_for_flag(&self, flag_id: FlagId) -> Result<Listing<Override>> {
        let listing = self.list(Query::Owned(Kind::Override, flag_id)).await;
        let mut listing: Listing<Override> = listing.map_err(|e| e.in_operation("get_overrides_for_flag"))?;
        listing.records.sort_by(|a, b| (&a.entity_type, &a.entity_id).cmp(&(&b.entity_type, &b.entity_id)));
        Ok(listing)
    }

    /// Creates or replaces an override, stamping `created_at` and `updated_at` where they are absent. One
    /// that has already expired removes what is there; the revision it comes back with is then that of
    /// nothing.
    ///
    /// # Errors
    ///
    /// `NotFound` when its flag does not exist; `Invalid`, naming the member; `Unavailable`, `Indeterminate`,
    /// `Denied`, `Closed`.
    pub async fn create_override(&self, new: Override) -> Result<Versioned<Override>> {
        self.create(new, Expect::Any).await.map_err(|e| e.in_operation("create_override"))
    }

    /// Deletes an override, telling whether there was one.
    ///
    /// # Errors
    ///
    /// `Conflict` when it does not have the expected revision, `NotFound` when one is expected and there is
    /// no override; `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn delete_override(
        &self,
        flag_id: FlagId,
        entity_type: &EntityType,
        entity_id: &EntityId,
        expected: Option<&Revision>,
    ) -> Result<bool> {
        let key = Key::Override(flag_id, entity_type.clone(), entity_id.clone());
        self.delete(key, expected).await.map_err(|e| e.in_operation("delete_override"))
    }
}
