//! Percentages: raising one takes nobody out, buckets are even, and flags do not share their luck.

use flags_core::{Flag, FlagKey, Rule, Timestamp};
use flags_engine::{EvaluationContext, Ruleset, Semantics, rollout_bucket, variant_bucket};
use proptest::prelude::*;

/// The 99.9 % quantile of the chi-squared distribution with 99 degrees of freedom.
const CHI_SQUARED_99: f64 = 148.2;

fn chi_squared(counts: &[u32]) -> f64 {
    let total: u32 = counts.iter().sum();
    let expected = f64::from(total) / counts.len() as f64;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

#[test]
fn buckets_are_even() {
    for flag in ["new-checkout", "beta:ring", "日本語"] {
        let mut rollout = [0; 100];
        let mut variant = [0; 100];
        for user in 0..100_000 {
            let key = format!("user-{user}");
            rollout[rollout_bucket(flag, &key) as usize - 1] += 1;
            variant[variant_bucket(flag, &key) as usize] += 1;
        }
        for counts in [rollout, variant] {
            assert!(chi_squared(&counts) < CHI_SQUARED_99, "{flag}: {}", chi_squared(&counts));
        }
    }
}

#[test]
fn buckets_of_two_flags_and_of_rollout_and_variant_are_independent() {
    let mut between_flags = [0; 100];
    let mut within_flag = [0; 100];
    for user in 0..100_000 {
        let key = format!("user-{user}");
        let (a, b) = (rollout_bucket("flag-a", &key) - 1, rollout_bucket("flag-b", &key) - 1);
        between_flags[(a / 10 * 10 + b / 10) as usize] += 1;
        within_flag[(a / 10 * 10 + variant_bucket("flag-a", &key) / 10) as usize] += 1;
    }
    for counts in [between_flags, within_flag] {
        assert!(chi_squared(&counts) < CHI_SQUARED_99, "{}", chi_squared(&counts));
    }
}

fn is_in(flag: &str, percentage: i64, context: &EvaluationContext) -> bool {
    let mut rule = Rule::new("rollout");
    rule.rollout_percentage = Some(percentage);
    let mut record = Flag::new(FlagKey::new(flag).expect("a flag key"));
    record.rules.push(rule);
    let ruleset = Ruleset::builder(Semantics::Compat).flag(record).build();
    ruleset.evaluator(context, Timestamp::UNIX_EPOCH).boolean(flag, false).value
}

proptest! {
    #[test]
    fn raising_a_percentage_takes_nobody_out(
        flag in "\\PC{1,20}", key in "\\PC{0,20}", low in -10_i64..120, raise in 0_i64..120,
    ) {
        let context = EvaluationContext::builder().targeting_key(key).build();
        prop_assert!(!is_in(&flag, low, &context) || is_in(&flag, low + raise, &context));
        prop_assert!(is_in(&flag, 100, &context));
        prop_assert!(!is_in(&flag, 0, &context));
    }

    #[test]
    fn without_a_targeting_key_nobody_is_in_a_rollout(percentage in 0_i64..=100) {
        prop_assert!(!is_in("flag", percentage, &EvaluationContext::default()));
    }
}
