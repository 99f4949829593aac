//! [`Asked`]: what an evaluation is to be about.

use std::borrow::Cow;
use std::sync::Arc;

use flags_engine::{Details, EvaluationContext};

use crate::hook::{Hook, HookContext, TypedValue};

/// A flag that is asked for, for whom: the caller's context, or what the hooks before the
/// evaluation made of it. Known first, since it decides what has to be known of overrides.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) key: &'a str,
    context: Cow<'a, EvaluationContext>,
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
        let mut asked = Self { key, context: Cow::Borrowed(context), is_refused: false };
        for hook in hooks {
            match hook.before(&HookContext { flag_key: key, context: &asked.context, default }) {
                Ok(None) => {}
                Ok(Some(other)) => asked.context = Cow::Owned(other),
                Err(_) => {
                    asked.is_refused = true;
                    break;
                }
            }
        }
        asked
    }

    pub(crate) fn context(&self) -> &EvaluationContext {
        &self.context
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
