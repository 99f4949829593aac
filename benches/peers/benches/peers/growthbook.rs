//! `growthbook-rust`: the feature's result, of the evaluator beneath its client, which would copy the
//! attributes once more.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use growthbook_rust::growthbook::GrowthBook;
use growthbook_rust::model_public::{FeatureResult, GrowthBookAttribute};
use serde_json::json;

use crate::{Engine, User};

pub(crate) struct Growthbook(GrowthBook);

impl Engine for Growthbook {
    type Context = Option<Vec<GrowthBookAttribute>>;
    type Answer<'a> = FeatureResult;

    fn new() -> Result<Self> {
        let features = serde_json::from_value(json!({
            "static": {"defaultValue": true},
            "one-rule": {"defaultValue": false, "rules": [{"condition": {"country": "NL"}, "force": true}]},
            "two-conditions": {
                "defaultValue": false,
                "rules": [{
                    "condition": {"plan": "pro", "country": {"$in": ["NL", "BE", "LU"]}},
                    "force": true, "coverage": 0.5, "hashAttribute": "id",
                }],
            },
        }))?;
        Ok(Self(GrowthBook {
            forced_variations: None,
            features,
            attributes: None,
            sticky_bucket_service: None,
            saved_groups: HashMap::new(),
        }))
    }

    fn context(user: &User) -> Result<Self::Context> {
        let attributes = json!({"id": user.key, "country": user.country, "plan": user.plan});
        let attributes = GrowthBookAttribute::from(attributes);
        attributes.map(Some).map_err(|error| anyhow!("the attributes are not read: {error}"))
    }

    fn decide<'a>(&'a self, flag: &'a str, context: &'a Self::Context) -> FeatureResult {
        self.0.check(flag, context)
    }

    fn is_on(answer: &FeatureResult) -> bool {
        answer.on
    }
}
