//! `eppo_core`: the value with its variation type, as its SDK asks for it. Nothing is logged.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use eppo_core::configuration_store::ConfigurationStore;
use eppo_core::eval::{Evaluator, EvaluatorConfig};
use eppo_core::ufc::{Assignment, UniversalFlagConfig, VariationType};
use eppo_core::{Attributes, Configuration, EvaluationError, SdkMetadata, Str};
use serde_json::{Value, json};

use crate::{Engine, User};

pub(crate) struct Eppo(Evaluator);

const SDK: SdkMetadata = SdkMetadata { name: "peers", version: "0" };

fn flag(key: &str, conditions: &[Value], shards: Value) -> Value {
    let rules = if conditions.is_empty() { json!([]) } else { json!([{"conditions": conditions}]) };
    json!({
        "key": key, "enabled": true, "variationType": "BOOLEAN", "totalShards": 10_000,
        "variations": {"on": {"key": "on", "value": true}},
        "allocations": [
            {"key": "only", "rules": rules, "doLog": false, "splits": [{"variationKey": "on", "shards": shards}]},
        ],
    })
}

impl Engine for Eppo {
    type Context = (Str, Arc<Attributes>);
    type Answer<'a> = Result<Option<Assignment>, EvaluationError>;

    fn new() -> Result<Self> {
        let one_of = |attribute: &str, values: &[&str]| json!({"operator": "ONE_OF", "attribute": attribute, "value": values});
        let plan = one_of("plan", &["pro"]);
        let benelux = one_of("country", &["NL", "BE", "LU"]);
        let half = json!([{"salt": "two-conditions", "ranges": [{"start": 0, "end": 5_000}]}]);
        let config = json!({
            "createdAt": "2026-01-01T00:00:00Z", "format": "SERVER", "environment": {"name": "test"},
            "flags": {
                "static": flag("static", &[], json!([])),
                "one-rule": flag("one-rule", &[one_of("country", &["NL"])], json!([])),
                "two-conditions": flag("two-conditions", &[plan, benelux], half),
            },
        });
        let config = UniversalFlagConfig::from_json(SDK, serde_json::to_vec(&config)?)
            .map_err(|error| anyhow!("the flags are not read: {error}"))?;
        let configuration_store = Arc::new(ConfigurationStore::new());
        configuration_store.set_configuration(Configuration::from_server_response(config, None).into());
        Ok(Self(Evaluator::new(EvaluatorConfig { configuration_store, sdk_metadata: SDK })))
    }

    fn context(user: &User) -> Result<Self::Context> {
        let attributes: Attributes =
            [("country".into(), user.country.into()), ("plan".into(), user.plan.into())]
                .into_iter()
                .collect();
        Ok((user.key.as_str().into(), attributes.into()))
    }

    fn decide<'a>(&'a self, flag: &'a str, (subject, attributes): &'a Self::Context) -> Self::Answer<'a> {
        self.0.get_assignment(flag, subject, attributes, Some(VariationType::Boolean))
    }

    fn is_on(answer: &Self::Answer<'_>) -> bool {
        match answer {
            Ok(assignment) => assignment.as_ref().and_then(|it| it.value.as_boolean()).unwrap_or(false),
            Err(error) => panic!("it cannot decide: {error}"),
        }
    }
}
