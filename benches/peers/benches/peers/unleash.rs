//! `unleash-yggdrasil`: whether the feature is enabled, a bare boolean.

use std::collections::HashMap;

use anyhow::{Result, ensure};
use serde_json::json;
use unleash_types::client_features::ClientFeatures;
use unleash_yggdrasil::{Context, EngineState};

use crate::{Engine, User};

pub(crate) struct Unleash(EngineState);

impl Engine for Unleash {
    type Context = Context;
    type Answer<'a> = bool;

    fn new() -> Result<Self> {
        let is_in =
            |name: &str, values: &[&str]| json!({"contextName": name, "operator": "IN", "values": values});
        let features: ClientFeatures = serde_json::from_value(json!({
            "version": 2,
            "features": [
                {"name": "static", "enabled": true, "strategies": [{"name": "default"}]},
                {
                    "name": "one-rule", "enabled": true,
                    "strategies": [{"name": "default", "constraints": [is_in("country", &["NL"])]}],
                },
                {
                    "name": "two-conditions", "enabled": true,
                    "strategies": [{
                        "name": "flexibleRollout",
                        "constraints": [is_in("plan", &["pro"]), is_in("country", &["NL", "BE", "LU"])],
                        "parameters": {"rollout": "50", "stickiness": "userId", "groupId": "two-conditions"},
                    }],
                },
            ],
        }))?;
        let engine = EngineState::default();
        let warnings = engine.apply_client_features(features).unwrap_or_default();
        ensure!(warnings.is_empty(), "{} features are not understood", warnings.len());
        Ok(Self(engine))
    }

    fn context(user: &User) -> Result<Context> {
        let properties = [("country", user.country), ("plan", user.plan)];
        let properties: HashMap<String, String> =
            properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Ok(Context { user_id: Some(user.key.clone()), properties: Some(properties), ..Context::default() })
    }

    fn decide<'a>(&'a self, flag: &'a str, context: &'a Context) -> bool {
        self.0.is_enabled(flag, context, &None)
    }

    fn is_on(answer: &bool) -> bool {
        *answer
    }
}
