//! `launchdarkly-server-sdk-evaluation`: value, variation index and reason. The flag is looked up in a map
//! and borrowed; the trait `Store` of the SDK would copy it.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use launchdarkly_server_sdk_evaluation::{
    Context, ContextBuilder, Detail, Flag, FlagValue, Segment, Store, evaluate,
};
use serde_json::{Value, json};

use crate::{Engine, User};

pub(crate) struct LaunchDarkly(Flags);

struct Flags(HashMap<String, Flag>);

impl Store for Flags {
    fn flag(&self, key: &str) -> Option<Flag> {
        self.0.get(key).cloned()
    }

    fn segment(&self, _: &str) -> Option<Segment> {
        None
    }
}

fn flag(key: &str, otherwise: usize, rules: Value) -> Result<(String, Flag)> {
    let flag = json!({
        "key": key, "version": 1, "on": true, "targets": [], "rules": rules, "prerequisites": [],
        "fallthrough": {"variation": otherwise}, "offVariation": 0, "variations": [false, true],
        "clientSideAvailability": {"usingEnvironmentId": true, "usingMobileKey": true},
        "salt": "salt", "trackEvents": false, "trackEventsFallthrough": false,
    });
    Ok((key.to_owned(), serde_json::from_value(flag)?))
}

fn clause(attribute: &str, values: &[&str]) -> Value {
    json!({"attribute": attribute, "contextKind": "user", "op": "in", "values": values, "negate": false})
}

impl Engine for LaunchDarkly {
    type Context = Context;
    type Answer<'a> = Detail<&'a FlagValue>;

    fn new() -> Result<Self> {
        let one = json!([
            {"id": "one", "clauses": [clause("country", &["NL"])], "variation": 1, "trackEvents": false},
        ]);
        let two = json!([{
            "id": "two", "trackEvents": false,
            "clauses": [clause("plan", &["pro"]), clause("country", &["NL", "BE", "LU"])],
            "rollout": {"contextKind": "user", "variations": [
                {"variation": 1, "weight": 50_000}, {"variation": 0, "weight": 50_000},
            ]},
        }]);
        let flags =
            [flag("static", 1, json!([]))?, flag("one-rule", 0, one)?, flag("two-conditions", 0, two)?];
        Ok(Self(Flags(flags.into())))
    }

    fn context(user: &User) -> Result<Context> {
        let mut builder = ContextBuilder::new(&user.key);
        builder.set_string("country", user.country).set_string("plan", user.plan);
        builder.build().map_err(|error| anyhow!("the context is not built: {error}"))
    }

    fn decide<'a>(&'a self, flag: &'a str, context: &'a Context) -> Detail<&'a FlagValue> {
        match self.0.0.get(flag) {
            Some(flag) => evaluate(&self.0, flag, context, None),
            None => panic!("no flag {flag}"),
        }
    }

    fn is_on(answer: &Detail<&FlagValue>) -> bool {
        answer.value.and_then(FlagValue::as_bool).unwrap_or(false)
    }
}
