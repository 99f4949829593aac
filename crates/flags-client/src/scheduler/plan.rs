//! [`Plan`]: what is planned, as the store has it.

use std::collections::HashMap;

use flags_core::storage::Query;
use flags_core::{Error, ErrorKind, FlagId, Kind, Result, StorageHandle, Timestamp};
use futures_util::StreamExt;
use tokio::task::coop::consume_budget;

use super::planned::Planned;

/// Everything that is planned.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What is due, in order, by flag.
    pub(super) due: HashMap<FlagId, Vec<Planned>>,
    /// When the next of the others is.
    pub(super) next_due: Option<Timestamp>,
    /// Records that cannot be read.
    pub(super) unreadable: Vec<Error>,
}

impl Plan {
    /// Of every flag.
    pub(super) async fn read(storage: &StorageHandle, now: Timestamp) -> Result<Self> {
        let mut plan = Self::default();
        for kind in [Kind::ScheduledChange, Kind::RolloutPhase] {
            let mut items = storage.list(Query::All(kind));
            while let Some(item) = items.next().await {
                consume_budget().await;
                match item {
                    Ok(stored) => plan.add(Planned::new(stored), now),
                    Err(error) if error.kind() == ErrorKind::Corrupt => plan.unreadable.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        plan.due.values_mut().for_each(|of_flag| of_flag.sort_by_key(Planned::order));
        Ok(plan)
    }

    fn add(&mut self, planned: Option<Planned>, now: Timestamp) {
        let Some(planned) = planned else { return };
        let at = planned.scheduled_at();
        if at <= now {
            self.due.entry(planned.flag_id()).or_default().push(planned);
        } else {
            self.next_due = Some(self.next_due.map_or(at, |next| next.min(at)));
        }
    }
}
