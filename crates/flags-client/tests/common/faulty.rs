//! [`Faulty`].

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flags_core::storage::{Batch, BoxStream, Capability, Change, Descriptor, Effect, Health, Query, Stored};
use flags_core::{Clock, Error, ErrorKind, Key, Kind, Result, Storage};
use flags_memory::MemoryStorage;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::{mpsc, oneshot};

/// A reply that is held back: what was read, was read already.
pub(crate) struct Held {
    reached: oneshot::Receiver<()>,
    go: oneshot::Sender<()>,
}

impl Held {
    /// Waits until the store has read, and holds the reply.
    pub(crate) async fn reached(&mut self) {
        tokio::time::timeout(super::LONG, &mut self.reached).await.expect("in time").expect("a call came");
    }

    pub(crate) fn release(self) {
        self.go.send(()).expect("the call is still held");
    }
}

#[derive(Debug)]
struct Hold {
    reached: oneshot::Sender<()>,
    go: oneshot::Receiver<()>,
}

/// The memory backend, with faults to order.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) inner: MemoryStorage,
    descriptor: Descriptor,
    pub(crate) reads_fail: AtomicBool,
    pub(crate) reads_are_denied: AtomicBool,
    pub(crate) watch_fails: AtomicBool,
    pub(crate) watch_is_denied: AtomicBool,
    /// Listings show nothing, as of a store that came back empty.
    pub(crate) is_empty: AtomicBool,
    /// Listings of flags show a record whose name nobody can tell.
    pub(crate) has_nameless: AtomicBool,
    /// The store is closed while its flags are listed, and that ends there.
    pub(crate) closes_at_listing: AtomicBool,
    /// Single reads know of nothing yet, as of a replica of the store that is behind.
    pub(crate) gets_lag: AtomicBool,
    /// Commits that name this key, or all, are answered so.
    pub(crate) refused: Mutex<Option<(Option<Key>, ErrorKind)>>,
    pub(crate) commits: AtomicUsize,
    pub(crate) gets: AtomicUsize,
    pub(crate) keys_got: AtomicUsize,
    pub(crate) lists: AtomicUsize,
    pub(crate) watches: AtomicUsize,
    held_gets: Mutex<VecDeque<Hold>>,
    held_lists: Mutex<VecDeque<Hold>>,
    injected: Mutex<Vec<mpsc::UnboundedSender<Option<Change>>>>,
}

impl Faulty {
    pub(crate) fn new() -> Arc<Self> {
        Self::of(MemoryStorage::new())
    }

    pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::of(MemoryStorage::with_clock(clock))
    }

    pub(crate) fn of(inner: MemoryStorage) -> Arc<Self> {
        let descriptor = inner.descriptor().clone();
        Arc::new(Self::build(inner, descriptor))
    }

    /// A store that tells of no changes.
    pub(crate) fn unwatched(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self::build(MemoryStorage::with_clock(clock), Descriptor::new("unwatched")))
    }

    /// A store whose reads may not show the last writes yet.
    pub(crate) fn lagging() -> Arc<Self> {
        let descriptor = Descriptor::new("lagging").with(Capability::Watch).with(Capability::LaggingReads);
        Arc::new(Self::build(MemoryStorage::new(), descriptor))
    }

    fn build(inner: MemoryStorage, descriptor: Descriptor) -> Self {
        Self {
            inner,
            descriptor,
            reads_fail: AtomicBool::new(false),
            reads_are_denied: AtomicBool::new(false),
            watch_fails: AtomicBool::new(false),
            watch_is_denied: AtomicBool::new(false),
            is_empty: AtomicBool::new(false),
            has_nameless: AtomicBool::new(false),
            closes_at_listing: AtomicBool::new(false),
            gets_lag: AtomicBool::new(false),
            refused: Mutex::default(),
            commits: AtomicUsize::new(0),
            gets: AtomicUsize::new(0),
            keys_got: AtomicUsize::new(0),
            lists: AtomicUsize::new(0),
            watches: AtomicUsize::new(0),
            held_gets: Mutex::default(),
            held_lists: Mutex::default(),
            injected: Mutex::default(),
        }
    }

    /// Holds the reply of the next `get` that is not held yet.
    pub(crate) fn hold_get(&self) -> Held {
        Self::hold(&self.held_gets)
    }

    /// Holds the reply of the next listing of flags that is not held yet.
    pub(crate) fn hold_list(&self) -> Held {
        Self::hold(&self.held_lists)
    }

    fn hold(queue: &Mutex<VecDeque<Hold>>) -> Held {
        let ((reached, is_reached), (go, may_go)) = (oneshot::channel(), oneshot::channel());
        queue.lock().expect("not poisoned").push_back(Hold { reached, go: may_go });
        Held { reached: is_reached, go }
    }

    /// Puts this into every watch. After `Lost` a watch hears nothing until `Resync`.
    pub(crate) fn inject(&self, change: &Change) {
        self.to_watches(&Some(change.clone()));
    }

    /// Ends every watch.
    pub(crate) fn end_watches(&self) {
        self.to_watches(&None);
    }

    fn to_watches(&self, change: &Option<Change>) {
        self.injected.lock().expect("not poisoned").retain(|watch| watch.send(change.clone()).is_ok());
    }

    pub(crate) fn set(&self, fault: &AtomicBool, on: bool) {
        fault.store(on, Ordering::SeqCst);
    }

    pub(crate) fn count(counter: &AtomicUsize) -> usize {
        counter.load(Ordering::SeqCst)
    }

    fn check_reads(&self) -> Result<()> {
        if self.reads_are_denied.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Denied, "not for you, by order"));
        }
        Self::check(&self.reads_fail)
    }

    fn check(fault: &AtomicBool) -> Result<()> {
        if fault.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "out of order, by order"));
        }
        Ok(())
    }
}

async fn wait(queue: &Mutex<VecDeque<Hold>>) {
    let hold = queue.lock().expect("not poisoned").pop_front();
    if let Some(hold) = hold {
        // A test that is over has dropped its ends.
        let _ = hold.reached.send(());
        let _ = hold.go.await;
    }
}

#[async_trait]
impl Storage for Faulty {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn get(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        if keys.is_empty() {
            // Nothing is read: whoever asks wants to know whether the store is still open.
            return self.inner.get(keys).await;
        }
        self.gets.fetch_add(1, Ordering::SeqCst);
        self.keys_got.fetch_add(keys.len(), Ordering::SeqCst);
        let answer = self.inner.get(keys).await;
        wait(&self.held_gets).await;
        self.check_reads()?;
        if self.gets_lag.load(Ordering::SeqCst) {
            return Ok(keys.iter().map(|_| Ok(None)).collect());
        }
        answer
    }

    fn list(&self, query: Query) -> BoxStream<'_, Result<Stored>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        let items = async move {
            let mut items: Vec<_> = self.inner.list(query.clone()).collect().await;
            if query.kind() == Kind::Flag {
                if self.has_nameless.load(Ordering::SeqCst) {
                    items.insert(0, Err(Error::new(ErrorKind::Corrupt, "a record without a name")));
                }
                wait(&self.held_lists).await;
                if self.closes_at_listing.load(Ordering::SeqCst) {
                    items.truncate(1);
                    self.inner.close().await.expect("closed");
                }
            }
            match self.check_reads() {
                Err(error) => stream::iter(vec![Err(error)]),
                Ok(()) if self.is_empty.load(Ordering::SeqCst) => stream::iter(Vec::new()),
                Ok(()) => stream::iter(items),
            }
        };
        items.flatten_stream().boxed()
    }

    async fn commit(&self, batch: Batch) -> Result<Vec<Effect>> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let refused = self.refused.lock().expect("not poisoned").clone();
        if let Some((key, kind)) = refused
            && key.is_none_or(|key| batch.ops().iter().any(|op| op.key() == key))
        {
            return Err(Error::new(kind, "refused, by order"));
        }
        self.inner.commit(batch).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Change>> {
        self.watches.fetch_add(1, Ordering::SeqCst);
        if !self.descriptor.has(Capability::Watch) {
            return Err(Error::unsupported("this store tells of no changes"));
        }
        Self::check(&self.watch_fails)?;
        if self.watch_is_denied.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Denied, "not to you"));
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        self.injected.lock().expect("not poisoned").push(sender);
        let injected = stream::unfold(receiver, async |mut receiver| {
            let change = receiver.recv().await;
            change.map(|change| ((true, change), receiver))
        });
        let real = self.inner.watch().await?.map(|change| (false, Some(change)));
        // The end of the real one is the end of it.
        let real = real.chain(stream::iter([(true, None)]));
        let mut is_lost = false;
        let both = stream::select(injected.boxed(), real).filter_map(move |(injected, change)| {
            match (injected, &change) {
                (true, Some(Change::Lost)) => is_lost = true,
                (true, Some(Change::Resync)) => is_lost = false,
                _ => {}
            }
            std::future::ready((injected || !is_lost).then_some(change))
        });
        Ok(both
            .take_while(|change| std::future::ready(change.is_some()))
            .filter_map(std::future::ready)
            .boxed())
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
