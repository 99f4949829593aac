//! [`Client`]: the handle that an application holds.

mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flags_core::{Error, ErrorKind, FlagKey, Json, Result, StorageHandle};
use flags_engine::{Answer, EvaluationContext};
use tokio::sync::{mpsc, oneshot};

use crate::builder::ClientBuilder;
use crate::counts::Counts;
use crate::details::EvaluationDetails;
use crate::diagnostics::Diagnostics;
use crate::events::Events;
use crate::freshness::Freshness;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::stage::Stage;

/// Feature flags, answered from memory: a replica of a store that follows its changes.
///
/// Clones share the replica; the last one that is dropped ends the task behind it. Evaluation is
/// synchronous and does no I/O; it takes no lock, but those of the cache of overrides [on
/// demand](crate::Overrides::OnDemand). It never fails: what cannot be evaluated answers the
/// caller's default, and the `_details` methods say why.
///
/// Unknown is never "off": before the first load every evaluation answers the caller's default with
/// [`ProviderNotReady`](flags_engine::ErrorCode::ProviderNotReady). When the store goes away the flags known
/// last are served, and [`freshness`](Self::freshness) says since when.
///
/// Overrides and time schedules are judged by the client's clock at each evaluation, so that an expiry needs
/// no event.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    /// The task ends when this is gone.
    commands: mpsc::Sender<Command>,
}

/// What a handle asks of the task.
#[derive(Debug)]
pub(crate) enum Command {
    AcceptEmpty(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

impl Client {
    /// A client of that store, to be configured and [started](ClientBuilder::start).
    pub fn builder(storage: StorageHandle) -> ClientBuilder {
        ClientBuilder::new(storage)
    }

    pub(crate) fn new(shared: Arc<Shared>, commands: mpsc::Sender<Command>) -> Self {
        Self { inner: Arc::new(Inner { shared, commands }) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    /// Every flag, decided for that context, whatever its type; a value of `None` is an evaluation that
    /// failed. Counts for nothing and runs no hooks. Empty where nothing can be evaluated: before the first
    /// load, or for a context that was not [prepared](Self::prepare) and has to be.
    #[must_use]
    pub fn all(&self, context: &EvaluationContext) -> BTreeMap<FlagKey, EvaluationDetails<Option<Json>>> {
        self.shared().view(context, |view| {
            if view.refusal(context).is_some() {
                return BTreeMap::new();
            }
            let decided = view.ruleset.evaluator(context, view.at);
            let owned = decided.all().map(|(key, decision)| {
                let details = decision.map(|answer| answer.map(Answer::to_json));
                (key.clone(), EvaluationDetails::new(key.as_str(), details))
            });
            owned.collect()
        })
    }

    /// The flags as they are now, for several evaluations that must not contradict each other.
    ///
    /// Where overrides are fetched on demand it knows nobody's: use [`prepare`](Self::prepare).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let shared = self.shared();
        let known = shared.on_demand.is_some().then(Default::default);
        Snapshot::new(Arc::clone(shared), shared.state.load_full(), known, shared.clock.now())
    }

    /// A snapshot for this context, its overrides fetched where they are fetched [on
    /// demand](crate::Overrides::OnDemand): those of its user, organization, tenant and targeting key, over
    /// all flags, in one call of the store (or as many as the store's limits make of it). What is cached is
    /// not fetched again. Costs nothing where overrides are resident.
    ///
    /// It evaluates this context; others that it knows no overrides of answer their default, with
    /// PROVIDER_NOT_READY. So long as the context stays in the cache, the methods of the client evaluate it
    /// too.
    ///
    /// # Errors
    ///
    /// `Unavailable` before the first load, and for a context that is not cached where the store
    /// was emptied. Where the store does not answer, an error of the same kind as its own, which is
    /// the source; unless all that is asked for is cached, and nothing is known to be newer: then
    /// that is served, though it is past its time to live. What is known to have changed, or may have
    /// while changes were missed, is served only as long as [`freshness`](Self::freshness) says so
    /// (by another cause than `Overtaken` or `LastFlagGone`, which are about flags), or where the
    /// store shows no flag any more and is not believed. Either way
    /// [`Diagnostics::store`](crate::Diagnostics::store) says why, until the store answers.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time.
    pub async fn prepare(&self, context: &EvaluationContext) -> Result<Snapshot> {
        let shared = self.shared();
        let (state, now) = (shared.state.load_full(), shared.clock.now());
        let Some(on_demand) = &shared.on_demand else { return Ok(self.snapshot()) };
        if !state.loaded {
            return Err(self.not_loaded("prepare"));
        }
        let (storage, error) = (&shared.storage, &shared.store_error);
        let fetch = on_demand.fetch(storage, error, context, &state.ruleset, state.flag_set, now);
        let known = Stage::Prepare.begin(shared.provider).of(fetch).await?;
        Ok(Snapshot::new(Arc::clone(shared), state, Some(known), now))
    }

    /// How far what is served can be trusted to be what the store holds.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        *self.shared().freshness.borrow()
    }

    /// Waits until there are flags to evaluate, for at most that long by the client's clock, and no
    /// longer than until the store says that it is closed, or denies being read.
    ///
    /// # Errors
    ///
    /// `Unavailable` when there are none by then; why is in its source, where it is known.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time.
    pub async fn wait_ready(&self, deadline: Duration) -> Result<()> {
        let shared = self.shared();
        let (mut freshness, mut refuses) = (shared.freshness.subscribe(), shared.refuses.subscribe());
        tokio::select! {
            biased;
            Ok(_) = freshness.wait_for(|freshness| freshness.is_loaded()) => Ok(()),
            Ok(_) = refuses.wait_for(|refuses| *refuses) => Err(self.not_loaded("wait_ready")),
            () = shared.clock.sleep(deadline) => Err(self.not_loaded("wait_ready")),
        }
    }

    fn not_loaded(&self, operation: &'static str) -> Error {
        let not_loaded =
            |reason: &'static str| Error::new(ErrorKind::Unavailable, reason).in_operation(operation);
        match self.shared().store_error.load_full() {
            Some(cause) => not_loaded("the flags are not loaded; see the cause").with_source(cause),
            // What takes so long is no failure, and may be asked for at another time.
            None => not_loaded("the flags are not loaded yet, though nothing failed: allow for more time"),
        }
    }

    /// What happens to what is served, from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.shared().events.subscribe()
    }

    /// What keeps the client from serving everything as it is meant.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        self.shared().diagnostics()
    }

    /// How often each flag was evaluated, by reason.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared().state.load().counts.read()
    }

    /// Takes the store's word that it holds no flag, after
    /// [`StoreEmptied`](crate::ClientEvent::StoreEmptied): the flags known last are dropped once the store
    /// was asked again. Does nothing otherwise: an emptiness that is yet to be found is not accepted.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time. Once it was polled the word may be taken all the same.
    pub async fn accept_empty(&self) {
        self.ask(Command::AcceptEmpty).await;
    }

    /// Stops following the store, for every clone, and waits until that is done. The flags known last are
    /// still served, as stale ones. The store itself is the caller's to close. Idempotent.
    ///
    /// # Cancellation
    ///
    /// May be dropped at any time. Once it was polled the client may close all the same; that it has, and
    /// that the last known state is saved, only one that was waited for tells.
    pub async fn close(&self) {
        self.ask(Command::Close).await;
    }

    /// Waits until the task has done that. A task that is gone has nothing left to do.
    async fn ask(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) {
        let (done, is_done) = oneshot::channel();
        if self.inner.commands.send(command(done)).await.is_ok() {
            let _ = is_done.await;
        }
    }
}
