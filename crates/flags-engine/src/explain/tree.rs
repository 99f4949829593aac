//! An explanation as a tree for people.

use std::fmt;

use super::{ConditionStep, Explanation, Found, RolloutStep, RuleStep, Verdict};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = &self.decision;
        let value = outcome.value.as_ref().map_or("the caller's default", |json| json.text());
        write!(f, "{}: {value} ({}", self.flag, outcome.reason)?;
        if let Some(variant) = &outcome.variant {
            write!(f, ", variant {variant:?}")?;
        }
        writeln!(f, ")")?;
        match self.status {
            Some(status) => writeln!(f, "  status: {status}")?,
            None => writeln!(f, "  there is no such flag")?,
        }
        for step in &self.overrides {
            let found = match step.found {
                Found::Nothing => "none",
                Found::Expired => "expired",
                Found::Override => "found",
            };
            writeln!(f, "  override of {} {:?}: {found}", step.entity_type, step.entity_id)?;
        }
        for step in &self.time_schedules {
            writeln!(f, "  time schedule {:?} is active: {}", step.name, step.verdict)?;
        }
        for rule in &self.rules {
            write_rule(rule, f)?;
        }
        if let Some(step) = &self.variants {
            writeln!(f, "  variants: bucket {} of 0 to {}", step.bucket, step.buckets.saturating_sub(1))?;
            for share in &step.variants {
                let chosen = if outcome.variant.as_ref() == Some(&share.key) { ", chosen" } else { "" };
                writeln!(f, "    {:?}: below {}{chosen}", share.key, share.below)?;
            }
        }
        match &outcome.error_message {
            Some(message) => writeln!(f, "  error: {message}"),
            None => Ok(()),
        }
    }
}

fn write_rule(rule: &RuleStep, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let verdict = match (rule.enabled, rule.matched) {
        (false, _) => "disabled",
        (true, true) => "matched",
        (true, false) => "no match",
    };
    writeln!(f, "  rule {:?} (priority {}): {verdict}", rule.name, rule.priority)?;
    for ConditionStep { condition, actual, verdict } in &rule.conditions {
        writeln!(f, "    {condition}, actual {actual}: {verdict}")?;
    }
    match rule.rollout {
        None => Ok(()),
        Some(RolloutStep { bucket: None, percentage, .. }) => {
            writeln!(f, "    rollout of {percentage} %: no targeting key, so no")
        }
        Some(RolloutStep { bucket: Some(bucket), percentage, within }) => {
            writeln!(
                f,
                "    rollout of {percentage} %: bucket {bucket}, so {}",
                if within { "yes" } else { "no" }
            )
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::No => f.write_str("no"),
            Self::PassedOver => f.write_str("passed over"),
            Self::Error(message) => write!(f, "error, {message}"),
        }
    }
}
