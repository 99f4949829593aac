//! `flags health`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Session;
use crate::failure::{Exit, Failure};

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    store: &'a str,
    latency_ms: f64,
    facts: BTreeMap<&'a str, &'a str>,
    warnings: &'a [String],
}

pub(super) async fn run(session: &Session) -> Result<Exit, Failure> {
    let health = session.store.health_check().await?;
    let report = Report {
        store: session.store.storage().descriptor().name(),
        // Microseconds are precise enough.
        latency_ms: (health.latency.as_secs_f64() * 1e6).round() / 1e3,
        facts: health.facts.iter().map(|fact| (fact.name, fact.value.as_str())).collect(),
        warnings: &health.warnings,
    };
    if session.out.is_json() {
        return session.out.value(&report);
    }
    let mut text = format!("{} answered in {} ms\n", report.store, report.latency_ms);
    for fact in &health.facts {
        text.push_str(&format!("  {:<20} {}\n", fact.name, crate::output::clean(&fact.value)));
    }
    for warning in &health.warnings {
        text.push_str(&format!("warning: {}\n", crate::output::clean(warning)));
    }
    session.out.text(&text)
}
