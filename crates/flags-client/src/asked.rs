//! [`Asked`]: what an evaluation is to be about.

use std::sync::Arc;

use flags_engine::{Details, EvaluationContext};

use crate::hook::{Hook, HookContext, TypedValue};

/// A flag that is asked for, for whom: the caller's context, or what the hooks before the
/// evaluation made of it. Known first, since it decides what has to be known of overrides.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) key: &'a str,
    context: &'a EvaluationContext,
    /// Boxed, since without hooks, which is how most evaluations are, there is none.
    instead: Option<Box<EvaluationContext>>,
    /// A hook wants no evaluation.
    pub(crate) is_refused: bool,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(
        hooks: &[Arc<dyn Hook>],
        key: &'a str,
        default: TypedValue<'_>,
        context: &'a EvaluationContext,
    ) -> Self {
        let mut asked = Self { key, context, instead: None, is_refused: false };
        if !hooks.is_empty() {
            asked.before(hooks, default);
        }
        asked
    }

    pub(crate) fn context(&self) -> &EvaluationContext {
        self.instead.as_deref().unwrap_or(self.context)
    }

    /// The stage before the evaluation, the first hook first.
    fn before(&mut self, hooks: &[Arc<dyn Hook>], default: TypedValue<'_>) {
        for hook in hooks {
            match hook.before(&HookContext { flag_key: self.key, context: self.context(), default }) {
                Ok(None) => {}
                Ok(Some(other)) => self.instead = Some(Box::new(other)),
                Err(_) => {
                    self.is_refused = true;
                    return;
                }
            }
        }
    }

    /// The stages after the evaluation, the last hook first.
    pub(crate) fn after(
        &self,
        hooks: &[Arc<dyn Hook>],
        evaluation: &HookContext<'_>,
        details: &Details<'_, TypedValue<'_>>,
    ) {
        for hook in hooks.iter().rev() {
            match details.error {
                None => hook.after(evaluation, details),
                Some(_) => hook.error(evaluation, details),
            }
        }
        hooks.iter().rev().for_each(|hook| hook.finally(evaluation, details));
    }
}
