//! [`Shared`]: what the handles of a client and its task have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use flags_core::{Clock, Error, FlagKey, StorageHandle};
use flags_engine::{EvaluationContext, Semantics};
use tokio::sync::watch;

use crate::asked::Asked;
use crate::diagnostics::Diagnostics;
use crate::events::{ChangedFlags, ClientEvent, EventHub};
use crate::freshness::Freshness;
use crate::hook::{Hook, TypedValue};
use crate::on_demand::OnDemand;
use crate::state::State;
use crate::view::View;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: ArcSwap<State>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) storage: StorageHandle,
    /// The name of the backend.
    pub(crate) provider: &'static str,
    #[cfg(feature = "tracing")]
    pub(crate) traced_values: crate::trace::TracedValues,
    pub(crate) hooks: Box<[Arc<dyn Hook>]>,
    pub(crate) on_demand: Option<OnDemand>,
    pub(crate) freshness: watch::Sender<Freshness>,
    /// The store does not let itself be read, as it says: no use to wait for it.
    pub(crate) refuses: watch::Sender<bool>,
    pub(crate) events: EventHub,
    pub(crate) store_error: ArcSwapOption<Error>,
    pub(crate) file_error: ArcSwapOption<Error>,
}

impl Shared {
    pub(crate) fn new(
        storage: StorageHandle,
        clock: Arc<dyn Clock>,
        semantics: Semantics,
        hooks: Vec<Arc<dyn Hook>>,
        on_demand: Option<OnDemand>,
    ) -> Self {
        Self {
            state: ArcSwap::from_pointee(State::empty(semantics)),
            clock,
            provider: storage.descriptor().name(),
            #[cfg(feature = "tracing")]
            traced_values: crate::trace::TracedValues::default(),
            storage,
            hooks: hooks.into(),
            on_demand,
            freshness: watch::Sender::new(Freshness::NeverLoaded),
            refuses: watch::Sender::new(false),
            events: EventHub::default(),
            store_error: ArcSwapOption::empty(),
            file_error: ArcSwapOption::empty(),
        }
    }

    /// An evaluation, as the hooks before it want it.
    pub(crate) fn ask<'a>(
        &self,
        key: &'a str,
        default: TypedValue<'_>,
        context: &'a EvaluationContext,
    ) -> Asked<'a> {
        Asked::new(&self.hooks, key, default, context)
    }

    /// Lets `look` see the current rules, for that context.
    pub(crate) fn view<R>(&self, context: &EvaluationContext, look: impl for<'v> FnOnce(View<'v>) -> R) -> R {
        let state = self.state.load();
        let at = self.clock.now();
        let view = View { shared: self, state: &state, ruleset: &state.ruleset, known: None, at };
        let Some(on_demand) = &self.on_demand else { return look(view) };
        let known = on_demand.cached(context, state.flag_set, at);
        let overlay = known.overlay(&state.ruleset);
        let ruleset = overlay.as_ref().unwrap_or(&state.ruleset);
        look(View { ruleset, known: Some(&known.entities), ..view })
    }

    /// Says how fresh the state is, to whoever asks and to listeners. Told again, it is no event.
    pub(crate) fn set_freshness(&self, freshness: Freshness) {
        let changed = self.freshness.send_if_modified(|current| {
            let changed = *current != freshness;
            *current = freshness;
            changed
        });
        if changed {
            self.events.tell(&ClientEvent::Freshness(freshness));
        }
    }

    /// Publishes a state, and tells what it changed.
    pub(crate) fn publish(&self, state: State, changed: BTreeSet<FlagKey>) {
        let ready = state.loaded && !self.state.swap(Arc::new(state)).loaded;
        if ready {
            self.events.tell(&ClientEvent::Ready);
        }
        self.tell_changed(changed);
    }

    pub(crate) fn tell_changed(&self, changed: BTreeSet<FlagKey>) {
        if !changed.is_empty() {
            self.events.tell(&ClientEvent::FlagsChanged(ChangedFlags::Keys(changed)));
        }
    }

    pub(crate) fn diagnostics(&self) -> Diagnostics {
        let state = self.state.load();
        let on_demand = self.on_demand.as_ref().map(OnDemand::unreadable);
        Diagnostics {
            records: state.ruleset.diagnostics(),
            unreadable: state.unreadable.iter().cloned().chain(on_demand.into_iter().flatten()).collect(),
            store: self.store_error.load_full(),
            file: self.file_error.load_full(),
        }
    }
}
