//! [`View`]: evaluation, with what goes on around it.

use flags_core::{Json, Timestamp};
use flags_engine::{Details, EvaluationContext, EvaluationError, Evaluator, Ruleset};

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
    pub(crate) fn bool(self, key: &str, default: bool, context: &EvaluationContext) -> Details<'v, bool> {
        self.evaluate(
            key,
            context,
            default,
            |evaluator, key, default| evaluator.boolean(key, default),
            |value| TypedValue::Boolean(*value),
        )
    }

    pub(crate) fn string<'d>(
        self,
        key: &str,
        default: &'d str,
        context: &EvaluationContext,
    ) -> Details<'d, &'d str>
    where
        'v: 'd,
    {
        let view: View<'d> = self;
        view.evaluate(
            key,
            context,
            default,
            |evaluator, key, default| evaluator.string(key, default),
            |value| TypedValue::String(value),
        )
    }

    pub(crate) fn integer(self, key: &str, default: i64, context: &EvaluationContext) -> Details<'v, i64> {
        self.evaluate(
            key,
            context,
            default,
            |evaluator, key, default| evaluator.integer(key, default),
            |value| TypedValue::Integer(*value),
        )
    }

    pub(crate) fn float(self, key: &str, default: f64, context: &EvaluationContext) -> Details<'v, f64> {
        self.evaluate(
            key,
            context,
            default,
            |evaluator, key, default| evaluator.float(key, default),
            |value| TypedValue::Float(*value),
        )
    }

    pub(crate) fn json(self, key: &str, default: Json, context: &EvaluationContext) -> Details<'v, Json> {
        self.evaluate(
            key,
            context,
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
        key: &str,
        context: &EvaluationContext,
        default: T,
        decide: impl for<'c> FnOnce(Evaluator<'v, 'c>, &str, T) -> Details<'v, T>,
        show: impl for<'t> Fn(&'t T) -> TypedValue<'t>,
    ) -> Details<'v, T> {
        if self.shared.hooks.is_empty() {
            let details = self.decide(key, context, default, decide);
            self.observe(key, context, &details, show);
            return details;
        }
        self.hooked(key, context, default, decide, show)
    }

    fn decide<T>(
        self,
        key: &str,
        context: &EvaluationContext,
        default: T,
        decide: impl for<'c> FnOnce(Evaluator<'v, 'c>, &str, T) -> Details<'v, T>,
    ) -> Details<'v, T> {
        match self.refusal(context) {
            None => decide(self.ruleset.evaluator(context, self.at), key, default),
            Some(error) => Details::not_evaluated(default, error),
        }
    }

    fn hooked<T: Clone>(
        self,
        key: &str,
        context: &EvaluationContext,
        default: T,
        decide: impl for<'c> FnOnce(Evaluator<'v, 'c>, &str, T) -> Details<'v, T>,
        show: impl for<'t> Fn(&'t T) -> TypedValue<'t>,
    ) -> Details<'v, T> {
        let hooks = &self.shared.hooks;
        let mut other: Option<EvaluationContext> = None;
        let mut refused = false;
        for hook in hooks {
            let context = other.as_ref().unwrap_or(context);
            match hook.before(&HookContext { flag_key: key, context, default: show(&default) }) {
                Ok(None) => {}
                Ok(Some(context)) => other = Some(context),
                Err(_) => {
                    refused = true;
                    break;
                }
            }
        }
        let context = other.as_ref().unwrap_or(context);
        let details = if refused {
            Details::not_evaluated(default.clone(), EvaluationError::HOOK)
        } else {
            self.decide(key, context, default.clone(), decide)
        };
        let evaluation = HookContext { flag_key: key, context, default: show(&default) };
        let shown = details.as_ref().map(&show);
        for hook in hooks.iter().rev() {
            match shown.error {
                None => hook.after(&evaluation, &shown),
                Some(_) => hook.error(&evaluation, &shown),
            }
        }
        hooks.iter().rev().for_each(|hook| hook.finally(&evaluation, &shown));
        self.observe(key, context, &details, show);
        details
    }

    fn observe<T>(
        self,
        key: &str,
        context: &EvaluationContext,
        details: &Details<'v, T>,
        show: impl for<'t> Fn(&'t T) -> TypedValue<'t>,
    ) {
        self.state.counts.of(key).add(details.reason);
        #[cfg(feature = "tracing")]
        if crate::trace::is_on() {
            crate::trace::evaluated(self.shared.provider, key, context, &details.as_ref().map(show));
        }
        #[cfg(not(feature = "tracing"))]
        let _ = (context, show);
    }
}
