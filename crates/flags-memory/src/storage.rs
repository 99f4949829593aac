//! [`MemoryStorage`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use flags_core::storage::{
    Batch, BoxStream, Capability, Change, Descriptor, Effect, Health, Limits, Query, Revision, Storage,
    Stored, check_keys,
};
use flags_core::watch::{ChangeHub, DEFAULT_BOUND};
use flags_core::{Clock, Error, Key, Result, SystemClock};
use futures_util::{StreamExt, stream};

use crate::entry::Entry;
use crate::state::State;

/// A store in memory. Clones are handles on the same store; it lives as long as its last handle.
#[derive(Debug, Clone)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    descriptor: Descriptor,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Current>,
    /// Held by whoever derives the next state from the current one.
    writing: Mutex<()>,
    hub: ChangeHub,
}

#[derive(Debug, Clone, Default)]
struct Current {
    state: Arc<State>,
    /// Counts commits; revisions are made from it.
    commits: u64,
    closed: bool,
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStorage {
    /// An empty store that tells expiry by the system clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store that tells expiry by that clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::with_clock_and_limits(clock, Limits::default())
    }

    /// An empty store with limits of its own.
    #[must_use]
    pub fn with_clock_and_limits(clock: Arc<dyn Clock>, limits: Limits) -> Self {
        let descriptor = Descriptor::new("memory").with(Capability::Watch).with_limits(limits);
        Self {
            shared: Arc::new(Shared {
                descriptor,
                clock,
                current: ArcSwap::default(),
                writing: Mutex::default(),
                hub: ChangeHub::new(),
            }),
        }
    }

    /// Stores bytes under a key as a writer would that keeps no contract: unchecked, and corrupt if they are
    /// no such record. For tests of how an application takes it.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub fn insert_raw(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        self.write(|state, commit| {
            let mut next = State::clone(state);
            let revision = Revision::new(format!("{commit}.raw"));
            next.insert(key, Entry::from_bytes(key, bytes, revision));
            Ok((next, vec![key.clone()], ()))
        })
    }

    /// What the store holds, for reading.
    fn read(&self) -> Result<Arc<Current>> {
        let current = self.shared.current.load_full();
        if current.closed { Err(Error::closed()) } else { Ok(current) }
    }

    /// Replaces the current state by one that is derived from it and from the number of the commit, and tells
    /// the watches.
    fn write<T>(&self, derive: impl FnOnce(&State, u64) -> Result<(State, Vec<Key>, T)>) -> Result<T> {
        let writing = self.lock();
        let current = self.read()?;
        let commits = current.commits + 1;
        let (next, changed, answer) = derive(&current.state, commits)?;
        let next = Current { state: Arc::new(next), commits, closed: false };
        self.shared.current.store(Arc::new(next));
        // Under the lock, so that watches see changes in the order of commits; woken after it.
        let wake = self.shared.hub.changed(&changed);
        drop(writing);
        drop(wake);
        Ok(answer)
    }

    /// A panic cannot leave a state half derived: it is published whole or not at all.
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.shared.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn descriptor(&self) -> &Descriptor {
        &self.shared.descriptor
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        let current = self.read()?;
        check_keys(keys, self.descriptor().limits())?;
        Ok(current.state.read(keys, self.shared.clock.now()))
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        let records = async move {
            match self.read() {
                Ok(current) => {
                    Arc::clone(&current.state).list(&query, Arc::clone(&self.shared.clock)).boxed()
                }
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        stream::once(records).flatten().boxed()
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        self.read()?;
        let limits = self.descriptor().limits();
        // Outside the lock: encoding is most of the work.
        let batch = batch.prepare(limits)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|state, commit| {
            let mut place = 0_usize;
            let revise = |_: &Key| {
                place += 1;
                Revision::new(format!("{commit}.{place}"))
            };
            let applied = state.apply(&batch, self.shared.clock.now(), limits, revise)?;
            Ok((applied.state, applied.changed, applied.effects))
        })
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        let _writing = self.lock();
        self.read()?;
        Ok(self.shared.hub.subscribe(DEFAULT_BOUND).boxed())
    }

    async fn health(&self) -> Result<Health> {
        let current = self.read()?;
        Ok(Health::answered_after(Duration::ZERO).with_fact("commits", current.commits.to_string()))
    }

    async fn close(&self) -> Result<()> {
        let writing = self.lock();
        // What it held is freed; readers that hold a snapshot keep theirs.
        self.shared.current.store(Arc::new(Current { closed: true, ..Current::default() }));
        let wake = self.shared.hub.close();
        drop(writing);
        drop(wake);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Wake, Waker};

    use flags_core::storage::Expect;
    use flags_core::{Flag, FlagKey};
    use futures_util::FutureExt;

    use super::*;

    /// A waker that calls the store, as an executor that runs its tasks in place would.
    struct Reenter(MemoryStorage);

    impl Wake for Reenter {
        fn wake(self: Arc<Self>) {
            let batch = Batch::new().check(Key::Flag(FlagKey::new("a").expect("a key")), Expect::Any);
            self.0.commit(batch).now_or_never().expect("memory never waits").map_or_else(drop, drop);
            self.0.watch().now_or_never().expect("memory never waits").map_or_else(drop, drop);
        }
    }

    #[test]
    fn wakers_run_while_no_lock_is_held() {
        let storage = MemoryStorage::new();
        let waker = Waker::from(Arc::new(Reenter(storage.clone())));
        let mut cx = Context::from_waker(&waker);
        let mut watch = storage.watch().now_or_never().expect("now").expect("a watch");
        assert_eq!(watch.next().now_or_never(), Some(Some(Change::Resync)));
        assert!(watch.poll_next_unpin(&mut cx).is_pending());
        let flag = Flag::new(FlagKey::new("a").expect("a key"));
        storage
            .commit(Batch::new().put(flag, Expect::Absent))
            .now_or_never()
            .expect("now")
            .expect("committed");
        assert!(watch.poll_next_unpin(&mut cx).is_ready());
        assert!(watch.poll_next_unpin(&mut cx).is_pending());
        storage.close().now_or_never().expect("now").expect("closed");
    }
}
