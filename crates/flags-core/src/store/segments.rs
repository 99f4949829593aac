//! Segments.

use super::records::refuse_problems;
use super::{FlagStore, Listing, Versioned};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Segment;
use crate::name::{SegmentId, SegmentName};
use crate::record::{Alias, Key, Kind};
use crate::storage::{Expect, Op, Query, Revision};

/// How many ancestors a segment may have. Each is checked by the commit that relies on it.
const MAX_ANCESTORS: usize = 100;

impl FlagStore {
    /// The segment of that id.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it cannot be read; `Unavailable`, `Denied`, `Closed`.
    pub async fn get_segment(&self, id: SegmentId) -> Result<Option<Versioned<Segment>>> {
        self.read(&Key::Segment(id)).await.map_err(|e| e.in_operation("get_segment"))
    }

    /// The segment of that name.
    ///
    /// # Errors
    ///
    /// Those of [`get_segment`](Self::get_segment).
    pub async fn get_segment_by_name(&self, name: &SegmentName) -> Result<Option<Versioned<Segment>>> {
        let query = Query::Alias(Alias::SegmentName(name.clone()));
        self.find(query).await.map_err(|e| e.in_operation("get_segment_by_name"))
    }

    /// Every segment, by name.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Denied`, `Closed`. Those that cannot be read are in the listing.
    pub async fn get_all_segments(&self) -> Result<Listing<Segment>> {
        let listing = self.list(Query::All(Kind::Segment)).await;
        let mut listing: Listing<Segment> = listing.map_err(|e| e.in_operation("get_all_segments"))?;
        listing.records.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(listing)
    }

    /// The segments whose parent is that one, by name.
    ///
    /// # Errors
    ///
    /// Those of [`get_all_segments`](Self::get_all_segments).
    pub async fn get_child_segments(&self, parent: SegmentId) -> Result<Listing<Segment>> {
        let mut listing = self.get_all_segments().await.map_err(|e| e.in_operation("get_child_segments"))?;
        listing.records.retain(|segment| segment.parent_segment_id == Some(parent));
        Ok(listing)
    }

    /// Creates a segment, stamping `created_at` and `updated_at` where they are absent.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; `Conflict` when another segment has its name, or an ancestor changed meanwhile;
    /// `Invalid`, naming the member, also when its parent does not exist or descends from it; `Unavailable`,
    /// `Indeterminate`, `Denied`, `Closed`.
    pub async fn create_segment(&self, segment: Segment) -> Result<Versioned<Segment>> {
        self.create_under_parent(segment).await.map_err(|e| e.in_operation("create_segment"))
    }

    async fn create_under_parent(&self, mut segment: Segment) -> Result<Versioned<Segment>> {
        self.stamp_created(&mut segment);
        refuse_problems(&segment, None)?;
        let ancestors = self.check_ancestors(&segment).await?;
        self.write(segment, Expect::Absent, ancestors).await
    }

    /// Replaces a segment, stamping `updated_at`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Conflict` when it does not have the expected revision; those of
    /// [`create_segment`](Self::create_segment).
    pub async fn update_segment(
        &self,
        segment: Segment,
        expected: Option<&Revision>,
    ) -> Result<Versioned<Segment>> {
        self.update_under_parent(segment, expected).await.map_err(|e| e.in_operation("update_segment"))
    }

    async fn update_under_parent(
        &self,
        mut segment: Segment,
        expected: Option<&Revision>,
    ) -> Result<Versioned<Segment>> {
        self.stamp_updated(&mut segment);
        self.refuse_new_problems(&segment).await?;
        // A parent that stays is not this write's doing, whatever is wrong with it.
        let moved = segment.parent_segment_id.is_some() && {
            let stored = self.read::<Segment>(&Key::Segment(segment.id)).await?;
            stored.is_none_or(|stored| stored.parent_segment_id != segment.parent_segment_id)
        };
        let ancestors = if moved { self.check_ancestors(&segment).await? } else { Vec::new() };
        self.write(segment, Expect::revision_or_present(expected), ancestors).await
    }

    /// Deletes a segment, telling whether there was one. Its children stay, and so do the rules that name it:
    /// for both it is then a missing segment, which nobody is in.
    ///
    /// # Errors
    ///
    /// `Conflict` when it does not have the expected revision, `NotFound` when one is expected and there is
    /// none; `Unavailable`, `Indeterminate`, `Denied`, `Closed`.
    pub async fn delete_segment(&self, id: SegmentId, expected: Option<&Revision>) -> Result<bool> {
        self.delete(Key::Segment(id), expected).await.map_err(|e| e.in_operation("delete_segment"))
    }

    /// Follows the parents up to the root. The checks make the commit fail if any of them changes before it,
    /// so that two writers cannot close a cycle between them.
    async fn check_ancestors(&self, segment: &Segment) -> Result<Vec<Op>> {
        let refuse = |reason: &'static str| {
            let error = Error::new(ErrorKind::Invalid, reason);
            Err(error.with_key(Key::Segment(segment.id)).with_field("parent_segment_id"))
        };
        let mut checks = Vec::new();
        let mut next = segment.parent_segment_id;
        while let Some(id) = next {
            if id == segment.id {
                return refuse("the parent descends from this segment; a segment cannot be its own ancestor");
            }
            if checks.len() == MAX_ANCESTORS {
                return refuse("the parents form a cycle, or are more than 100");
            }
            let key = Key::Segment(id);
            let Some(ancestor) = self.read::<Segment>(&key).await? else {
                if checks.is_empty() {
                    return refuse("no such segment; create the parent first");
                }
                // A reference that dangles further up is not this write's doing; but it must not be mended
                // meanwhile.
                checks.push(Op::Check(key, Expect::Absent));
                break;
            };
            checks.push(Op::Check(key, Expect::Revision(ancestor.revision().clone())));
            next = ancestor.parent_segment_id;
        }
        Ok(checks)
    }
}
