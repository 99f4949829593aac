//! [`Snapshot`].

use std::sync::Arc;

use flags_core::{Json, Timestamp};
use flags_engine::{Details, EvaluationContext, Ruleset};

use crate::hook::TypedValue;
use crate::on_demand::Known;
use crate::shared::Shared;
use crate::state::State;
use crate::view::View;

/// The flags at one moment and at one instant: evaluations in it never contradict each other, whatever
/// changes meanwhile. Made by [`Client::snapshot`](crate::Client::snapshot) and
/// [`Client::prepare`](crate::Client::prepare); meant for the length of a request. Its details borrow from
/// it, and copy nothing.
///
/// The methods never fail: what cannot be evaluated answers the caller's default, with the reason.
#[derive(Debug, Clone)]
pub struct Snapshot {
    shared: Arc<Shared>,
    state: Arc<State>,
    overlay: Option<Arc<Ruleset>>,
    /// Whose overrides are known, where they are fetched on demand.
    known: Option<Arc<Known>>,
    at: Timestamp,
}

impl Snapshot {
    pub(crate) fn new(shared: Arc<Shared>, state: Arc<State>, known: Option<Known>, at: Timestamp) -> Self {
        let overlay = known.as_ref().and_then(|known| known.overlay(&state.ruleset)).map(Arc::new);
        Self { shared, state, overlay, known: known.map(Arc::new), at }
    }

    /// The instant of its evaluations.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The same flags at another instant.
    #[must_use]
    pub fn with_instant(mut self, at: Timestamp) -> Self {
        self.at = at;
        self
    }

    /// The compiled rules, to be explained, say. Evaluations of their own are not counted and run no hooks.
    #[must_use]
    pub fn ruleset(&self) -> &Ruleset {
        self.overlay.as_ref().unwrap_or(&self.state.ruleset)
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            shared: &self.shared,
            state: &self.state,
            ruleset: self.ruleset(),
            known: self.known.as_ref().map(|known| &*known.entities),
            at: self.at,
        }
    }

    /// A boolean. Any flag will do that answers with one.
    #[must_use]
    pub fn bool_details(&self, key: &str, default: bool, context: &EvaluationContext) -> Details<'_, bool> {
        let asked = self.shared.ask(key, TypedValue::Boolean(default), context);
        self.view().bool(&asked, default)
    }

    /// A text, of a string flag.
    #[must_use]
    pub fn string_details<'a>(
        &'a self,
        key: &str,
        default: &'a str,
        context: &EvaluationContext,
    ) -> Details<'a, &'a str> {
        let asked = self.shared.ask(key, TypedValue::String(default), context);
        self.view().string(&asked, default)
    }

    /// A whole number of 64 bits, of a number flag.
    #[must_use]
    pub fn integer_details(&self, key: &str, default: i64, context: &EvaluationContext) -> Details<'_, i64> {
        let asked = self.shared.ask(key, TypedValue::Integer(default), context);
        self.view().integer(&asked, default)
    }

    /// A number, of a number flag, rounded to the nearest of floating point.
    #[must_use]
    pub fn float_details(&self, key: &str, default: f64, context: &EvaluationContext) -> Details<'_, f64> {
        let asked = self.shared.ask(key, TypedValue::Float(default), context);
        self.view().float(&asked, default)
    }

    /// Any JSON, of a JSON flag.
    #[must_use]
    pub fn json_details(&self, key: &str, default: Json, context: &EvaluationContext) -> Details<'_, Json> {
        let asked = self.shared.ask(key, TypedValue::Json(&default), context);
        self.view().json(&asked, default)
    }
}
