//! How the file is.

use std::sync::Arc;
use std::time::Instant;

use flags_core::Result;
use flags_core::storage::Health;

use super::shared::{Shared, lock};

pub(super) async fn health(shared: &Arc<Shared>) -> Result<Health> {
    let begun = Instant::now();
    let view = shared.current().await?;
    let mut health = Health::answered_after(begun.elapsed())
        .with_fact("path", shared.options.path.display().to_string())
        .with_fact("records", view.contents.len().to_string());
    if let Some(seen) = view.seen {
        health = health.with_fact("bytes", seen.stamp.length().to_string());
    }
    let following = lock(&shared.follower).as_ref().map(|follower| follower.mode());
    if let Some(mode) = following {
        health = health.with_fact("watched_by", mode.name());
        if let Some(warning) = mode.warning() {
            health = health.with_warning(warning);
        }
    }
    if let Some(fault) = &view.fault {
        health = health.with_warning(format!("{}; reads go on with the last good state", fault.warning()));
    }
    Ok(view.contents.notes.iter().cloned().fold(health, Health::with_warning))
}
