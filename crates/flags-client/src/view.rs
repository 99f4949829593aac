//! [`View`]: evaluation, with what goes on around it.

use flags_core::{Json, Timestamp};
use flags_engine::{Details, EvaluationContext, EvaluationError, Evaluator, Ruleset};

use crate::asked::Asked;
use crate::hook::{HookContext, TypedValue};
use crate::on_demand::{Entity, entities};
use crate::shared::Shared;
use crate::state::State;

/// What one evaluation looks at: rules at an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'v> {
    pub(crate) shared: &'v Shared,
    pub(crate) state: &'v State,
    /// The state's rules, perhaps with the overrides of prepared entities.
    pub(crate) ruleset: &'v Ruleset,
    /// The entities whose overrides are in the rules; `None` is every entity.
    pub(crate) known: Option<&'v [Entity]>,
    pub(crate) at: Timestamp,
}

impl<'v> View<'v> {
    pub(crate) fn bool(self, asked: &Asked<'_>, default: bool) -> Details<'v, bool> {
        self.evaluate(
            asked,
            default,
            |evaluator, key, default| evaluator.boolean(key, default),
            |value| TypedValue::Boolean(*value),
        )
    }

    pub(crate) fn string<'d>(self, asked: &Asked<'_>, default: &'d str) -> Details<'d, &'d str>
    where
        'v: 'd,
    {
        let view: View<'d> = self;
        view.evaluate(
            asked,
            default,
            |evaluator, key, default| evaluator.string(key, default),
            |value| TypedValue::String(value),
        )
    }

    pub(crate) fn integer(self, asked: &Asked<'_>, default: i64) -> Details<'v, i64> {
        self.evaluate(
            asked,
            default,
            |evaluator, key, default| evaluator.integer(key, default),
            |value| TypedValue::Integer(*value),
        )
    }

    pub(crate) fn float(self, asked: &Asked<'_>, default: f64) -> Details<'v, f64> {
        self.evaluate(
            asked,
            default,
            |evaluator, key, default| evaluator.float(key, default),
            |value| TypedValue::Float(*value),
        )
    }

    pub(crate) fn json(self, asked: &Asked<'_>, default: Json) -> Details<'v, Json> {
        self.evaluate(
            asked,
            default,
            |evaluator, key, default| evaluator.json(key, default),
            |value| TypedValue::Json(value),
        )
    }

    /// Why nothing can be evaluated for that context, if so.
    pub(crate) fn refusal(self, context: &EvaluationContext) -> Option<EvaluationError> {
        if !self.state.loaded {
            return Some(EvaluationError::NOT_READY);
        }
        let known = self.known?;
        let unknown = entities(context).any(|asked| !known.iter().any(|known| known.is(asked)));
        unknown.then_some(EvaluationError::NOT_PREPARED)
    }

    fn evaluate<T: Clone>(
        self,
        asked: &Asked<'_>,
        default: T,
        decide: impl for<'c> FnOnce(Evaluator<'v, 'c>, &str, T) -> Details<'v, T>,
        show: impl for<'t> Fn(&'t T) -> TypedValue<'t>,
    ) -> Details<'v, T> {
        if self.shared.hooks.is_empty() {
            let details = self.decide(asked, default, decide);
            self.observe(asked, &details, show);
            return details;
        }
        self.hooked(asked, default, decide, show)
    }

    fn hooked<T: Clone>(
        self,
        asked: &Asked<'_>,
        default: T,
        decide: impl for<'c> FnOnce(Evaluator<'v, 'c>, &str, T) -> Details<'v, T>,
        show: impl for<'t> Fn(&'t T) -> TypedValue<'t>,
    ) -> Details<'v, T> {
        let details = if asked.is_refused {
            Details::not_evaluated(default.clone(), EvaluationError::HOOK)
        } else {
            self.decide(asked, default.clone(), decide)
        };
        let evaluation =
            HookContext { flag_key: asked.key, context: asked.context(), default: show(&default) };
        asked.after(&self.shared.hooks, &evaluation, &details.as_ref().map(&show));
        self.observe(asked, &details, show);
        details
    }

    fn decide<T>(
        self,
        asked: &Asked<'_>,
        default: T,
        decide: impl for<'c> FnOnce(Evaluator<'v, 'c>, &str, T) -> Details<'v, T>,
    ) -> Details<'v, T> {
        let context = asked.context();
        match self.refusal(context) {
            None => decide(self.ruleset.evaluator(context, self.at), asked.key, default),
            Some(error) => Details::not_evaluated(default, error),
        }
    }

    fn observe<T>(
        self,
        asked: &Asked<'_>,
        details: &Details<'v, T>,
        show: impl for<'t> Fn(&'t T) -> TypedValue<'t>,
    ) {
        self.state.counts.of(asked.key).add(details.reason);
        #[cfg(feature = "tracing")]
        if crate::trace::is_on() {
            let shared = self.shared;
            let details = details.as_ref().map(show);
            crate::trace::evaluated(
                shared.provider,
                shared.traced_values,
                asked.key,
                asked.context(),
                &details,
            );
        }
        #[cfg(not(feature = "tracing"))]
        let _ = show;
    }
}
