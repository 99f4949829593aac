//! What the benchmarks share: realistic records.

use flags_core::{Condition, Flag, FlagKey, Rule, Variant};

/// A flag with three rules and two variants, some 1.5 KB of JSON, the `n`th of its kind.
///
/// # Panics
///
/// Never: the key is a key and the values are JSON.
#[must_use]
pub fn flag(n: usize) -> Flag {
    let mut flag = Flag::new(FlagKey::new(format!("flag-{n:06}")).expect("a key"));
    flag.description =
        Some("The one-page checkout, staff first, then some countries, then a part of all".into());
    flag.tags = vec!["checkout".into(), "release".into()];
    flag.metadata = r#"{"owner": "team-checkout", "ticket": "SHOP-1812"}"#.parse().expect("JSON");
    for (place, country) in ["NL", "BE", "LU"].into_iter().enumerate() {
        let mut rule = Rule::new(format!("rule {place}"))
            .when(Condition::new("country", "in", [country, "DE"]))
            .when(Condition::new("app_version", "semver_gt", "3.4.0"));
        rule.rollout_percentage = Some(25);
        flag.rules.push(rule);
    }
    for key in ["control", "treatment"] {
        flag.variants.push(Variant::new(
            key,
            r#"{"enabled": true, "colour": "blue"}"#.parse().expect("JSON"),
            50,
        ));
    }
    flag
}
