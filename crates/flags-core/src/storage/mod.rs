//! The storage contract: six methods, fifteen clauses.
//!
//! [`Storage`] is the narrow waist of the project. A backend sees four facts of a record and nothing
//! else: its key, its alias, its owner and its expiry. From these it keeps every clause below; what a
//! flag means it never knows, and everything typed is written once, above it, in
//! [`FlagStore`](crate::FlagStore).

mod batch;
mod change;
mod descriptor;
mod finding;
mod health;
mod query;
mod revision;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
pub use futures_core::stream::BoxStream;

pub use batch::{Action, Batch, Effect, Expect, Op, Prepared, check_keys};
pub use change::Change;
pub use descriptor::{Capability, Descriptor, Limit, Limits};
pub use finding::{Finding, Flaw, Remedy};
pub use health::{Fact, Health};
pub use query::Query;
pub use revision::{Revision, Stored};

use crate::error::Result;
use crate::record::Key;

/// A store of any backend, shared.
pub type StorageHandle = Arc<dyn Storage>;

/// A store of flags and what belongs to them.
///
/// # The contract
///
/// A backend keeps all of it. `flags-conformance` holds several cases for every clause, and names the clause
/// that a failing case is about.
///
/// **C1 — Read your commit.** After [`commit`](Self::commit) returns `Ok`, every later
/// [`get`](Self::get) and [`list`](Self::list), on any handle on the same store, sees it. A backend
/// whose reads may lag declares [`Capability::LaggingReads`].
///
/// **C2 — All or nothing.** A commit applies every operation or none, also when the process, the connection
/// or the server dies at any point (as far as the backend is [durable](Capability::Durable)). No single `get`
/// sees half of one. An empty batch does nothing, successfully.
///
/// **C3 — Conditions.** Every [`Expect`] is judged against one state, the one before the batch, atomically
/// with the writes. The first failing operation, in the order of the batch, gives the error, naming its key:
/// `AlreadyExists`, `NotFound` (also for a revision of a record that does not exist) or `Conflict`; and
/// nothing changes anywhere. One operation is judged wholly before the next: by its `Expect`, then its owner
/// (C6), then its alias (C7), then the size of its cascade (C6). [`Expect::judge`] is the whole table. A
/// corrupt record counts as present, with its revision; it can be replaced and deleted. The [`Effect`]s come
/// in the order of the batch, that of a `Check` too: its `after` is what the batch leaves there.
///
/// **C4 — Revisions.** Two different stored values of a record have different revisions, whoever wrote them,
/// also a writer that knows nothing of revisions. A [`Revision`] is opaque and unordered, the same on every
/// handle, and survives a round trip through text. Writing an equal value may keep it.
///
/// **C5 — Absent, unreadable, unreachable** are three different answers of `get`: `Ok(None)`; a `Corrupt`
/// error for that record alone, with its key and [revision](crate::Error::revision); an error of the call. A
/// record whose body does not name the key it was read by is corrupt;
/// [`Record::decode`](crate::Record::decode) sees to it. `get` answers in the order of the keys, and a key
/// that is asked for twice is answered twice.
///
/// **C6 — Ownership.** A record whose [owner](crate::Record::owner) does not exist once the batch is applied
/// is refused with `NotFound`, naming the record ([`Error::owner_not_found`](crate::Error::owner_not_found));
/// so a flag and what it owns can be created by one batch, in any order. No put makes an orphan, but one that
/// is there already, left by a writer of another library, can be written again where it is: by a put that
/// [requires it](Expect::requires_record) and leaves its owner as it was, so that what is wrong with it can
/// be recorded (a corrupt one's owner is unknown: it may be refused). Deleting a flag deletes what it owns in
/// the same commit (of two flags that a writer of another library left with one id, the one that has the
/// alias owns it), up to [`Limits::owned_per_delete`], what has expired not counted; beyond it the commit is
/// `Invalid`, [naming that limit](crate::Error::limit) and the flag, and the typed API deletes the owned
/// first. It goes with the flag that is deleted, also where the batch gives that flag's id to another; what
/// the batch itself puts stays. What a corrupt flag owns is unknown, and so left behind; a corrupt record may
/// be left behind by its flag. Writers of another library that race with it are excepted.
///
/// **C7 — Aliases.** A flag's id is unique, and bound to the flag's key until the flag is deleted; a
/// segment's name is unique, and may change. A put that breaks this, judged by what the batch leaves behind,
/// is a `Conflict` naming the record ([`Error::alias_conflict`](crate::Error::alias_conflict)), also where
/// its `Expect` holds; so one batch can delete a record and give its alias to another, and two segments can
/// swap names. Of two puts of one batch that claim the same alias the error names either.
/// `list(Query::Alias)` finds the record. Enforced among records that this library wrote or met: what a
/// writer of another library stored is adopted when it is first read, and where two of its records claim one
/// alias, one of them has it, the same for every handle and whichever was read before; when that one is
/// deleted, one of the others.
///
/// **C8 — Expiry.** At or after its `expires_at` a record is absent to every read, to the millisecond, and no
/// obstacle to `Expect::Absent`. Putting one that has already expired is judged like any put, its owner too,
/// and is then a delete (its effect's `after` is `None`). The store's clock decides. A listing may or may not
/// show what expires while it is read.
///
/// **C9 — Listing.** Every record that exists throughout the listing is yielded exactly once; no order is
/// promised. A corrupt record is an `Err` item of kind `Corrupt`, naming its key, and the listing goes on;
/// any other error is the last item. A corrupt record's owner and alias are unknown: only `Query::All` need
/// show it.
///
/// **C10 — Isolation of values.** What a caller does with a record, one that was read or one that was put,
/// never changes the store.
///
/// **C11 — Namespaces.** Two stores with different namespaces (prefixes, paths, instances) never see each
/// other's records, also when the name of one begins with the name of the other.
///
/// **C12 — Watch.** Every change that any writer, of any language, commits after the first [`Change::Resync`]
/// yields [`Change::Changed`] of its key at least once, or [`Change::Lost`] and then `Resync`, or, for a
/// reader who is slow, `Resync` alone. Never silently neither. `Resync` comes first of all, and next after
/// every `Lost`. A cascade names every record that it removed. Expiry need not be a change: readers know
/// `expires_at`.
///
/// **C13 — Cancellation.** Any future or stream may be dropped at any time. A commit is then wholly
/// applied or not at all, no connection or lock is leaked, and the next operation is unaffected.
///
/// **C14 — Outcomes.** `Unavailable` means certainly not applied; `Indeterminate` means that it may have
/// been: handed to a connection and not answered. Reads are never `Indeterminate`. Every call ends within the
/// backend's deadline (a listing: every item). After [`close`](Self::close) every call is `Closed`, also an
/// empty one, and a listing that is being read ends there, with or without that error. No secret is ever in
/// an error, a log or a `Debug`.
///
/// **C15 — Limits.** Beyond the declared [`Limits`] a call is `Invalid` before anything is sent, naming the
/// key and the limit (a batch is measured as a whole, and the key is that at which it goes past); a key named
/// twice in a batch is `Invalid`. [`Batch::prepare`] and [`check_keys`] are the whole check.
///
/// # Implementing it
///
/// Start `commit` with [`Batch::prepare`] and `get` with [`check_keys`]; decode with
/// [`Record::decode`](crate::Record::decode); judge with [`Expect::judge`]; build `watch` from a
/// [`ChangeHub`](crate::watch::ChangeHub) or a [`change_queue`](crate::watch::change_queue). The crate
/// documentation of `flags-conformance` has a complete backend in some hundred lines.
///
/// More that is easily missed:
///
/// * `Record::decode` does not know the revision: add it with
///   [`Error::with_revision`](crate::Error::with_revision) (C5). [`Query::matches`] is the whole filter of a
///   listing, [`Record::is_expired`](crate::Record::is_expired) the whole of C8's comparison.
/// * A revision that also changes when a foreign writer wrote is, in practice, a digest of the bytes or a
///   version that the store itself keeps.
/// * A hub that is fed by this library's commits is enough only if nobody else can write the store. Otherwise
///   feed it from the store's own notifications or by polling; where neither is possible, do not declare
///   `Watch`. Tell it of changes while commits are still in order, and drop the [`Wake`](crate::watch::Wake)
///   it gives once no lock is held.
/// * Short blocking work (a lock, a map) may be done in place. Work that may take a millisecond belongs on a
///   thread: see `spawn_blocking` of the runtime, and mind that a dropped future then leaves it running to
///   its end (C13).
/// * An [`Action`] or [`Query`] that a later version adds, and this backend does not know, is `Unsupported`.
///
/// A common mistake is a commit that judges and then awaits before it writes:
///
/// ```text
/// let current = self.read(&key).await?;      // judged here ...
/// expect.judge(&key, current.revision())?;
/// self.write(&key, bytes).await?;            // ... written there: whoever wrote in between is overwritten
/// ```
///
/// Judge and write under one lock, in one transaction, or in one script.
///
/// # Wrappers
///
/// A wrapper (metrics, caching, tracing) implements every method and passes on what it does not change, the
/// descriptor too. It keeps the contract as well: a cache, for example, must keep C1.
///
/// # Cloning and closing
///
/// Handles are shared as [`StorageHandle`]. [`close`](Self::close) closes this opening of the store, for
/// every clone of its handle; another opening of the same data goes on.
#[async_trait]
pub trait Storage: Debug + Send + Sync + 'static {
    /// What the backend is and can do. No I/O; the same for the life of the store.
    fn descriptor(&self) -> &Descriptor;

    /// Reads records by key, in the order of `keys` (C1, C5, C8).
    ///
    /// # Errors
    ///
    /// The outer error: the store could not answer, or a key is past the limits. The inner one, always
    /// `Corrupt`: that record alone.
    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>>;

    /// Lists records, lazily: nothing happens until it is polled (C1, C8, C9).
    ///
    /// # Errors
    ///
    /// An item that is `Corrupt` stands for one record and is followed by the rest; any other error is the
    /// last item.
    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>>;

    /// Applies a batch, all or nothing (C2, C3, C4, C6, C7, C8, C15). One effect for each operation, in
    /// order.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `NotFound`, `Conflict`, `Invalid`: nothing was changed, and the error names the key.
    /// `Unavailable`, `Denied`, `Closed`: nothing was changed. `Indeterminate`: it may have been applied.
    ///
    /// # Cancellation
    ///
    /// A dropped commit is applied wholly or not at all (C13).
    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>>;

    /// Follows the store (C12). Returns once it follows; the first item is [`Change::Resync`]. A slow
    /// consumer finds changes coalesced by key and, past a bound, replaced by one `Resync`. Ends when the
    /// store is closed.
    ///
    /// # Errors
    ///
    /// `Unsupported` where [`Capability::Watch`] is not declared. `Denied` where this user may not be told of
    /// changes; then there is still the reading.
    async fn watch(&self) -> Result<BoxStream<'static, Change>>;

    /// Asks the store how it is.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from answering.
    async fn health(&self) -> Result<Health>;

    /// Closes the store for every handle: later calls are `Closed`, watches end. Idempotent.
    ///
    /// # Errors
    ///
    /// When closing could not be completed; it is closed nevertheless.
    async fn close(&self) -> Result<()>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage + ?Sized> Storage for Arc<S> {
    fn descriptor(&self) -> &Descriptor {
        (**self).descriptor()
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        (**self).get(keys).await
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        (**self).list(query)
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        (**self).commit(batch).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        (**self).watch().await
    }

    async fn health(&self) -> Result<Health> {
        (**self).health().await
    }

    async fn close(&self) -> Result<()> {
        (**self).close().await
    }
}
