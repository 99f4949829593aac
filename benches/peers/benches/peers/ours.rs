//! `flags-engine`: the value with its reason, variant, rule and metadata.

use anyhow::Result;
use flags_core::{Condition, Flag, FlagKey, Rule, Timestamp};
use flags_engine::{Details, EvaluationContext, Reason, Ruleset, Semantics};

use crate::{Engine, User};

pub(crate) struct Ours(Ruleset);

impl Engine for Ours {
    type Context = EvaluationContext;
    type Answer<'a> = Details<'a, bool>;

    fn new() -> Result<Self> {
        let mut everybody = Flag::new(FlagKey::new("static")?);
        everybody.default_enabled = true;
        let mut one = Flag::new(FlagKey::new("one-rule")?);
        one.rules.push(Rule::new("netherlands").when(Condition::new("country", "eq", "NL")));
        let mut two = Flag::new(FlagKey::new("two-conditions")?);
        let mut half = Rule::new("half").when(Condition::new("plan", "eq", "pro")).when(Condition::new(
            "country",
            "in",
            ["NL", "BE", "LU"],
        ));
        half.rollout_percentage = Some(50);
        two.rules.push(half);
        Ok(Self(Ruleset::builder(Semantics::Compat).flag(everybody).flag(one).flag(two).build()))
    }

    fn context(user: &User) -> Result<EvaluationContext> {
        let builder = EvaluationContext::builder().targeting_key(&user.key).user_id(&user.key);
        Ok(builder.country(user.country).attribute("plan", user.plan).build())
    }

    fn decide<'a>(&'a self, flag: &'a str, context: &'a EvaluationContext) -> Details<'a, bool> {
        self.0.evaluator(context, Timestamp::UNIX_EPOCH).boolean(flag, false)
    }

    fn is_on(answer: &Details<'_, bool>) -> bool {
        assert!(matches!(answer.reason, Reason::Static | Reason::TargetingMatch));
        answer.value
    }
}
