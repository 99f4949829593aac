//! [`Owned`]: what belongs to a flag, its overrides and time schedules.

use std::sync::Arc;

use flags_core::{FlagId, FlagKey, Override, TimeScheduleId};

use crate::hash_trie::Keyed;
use crate::overrides::Overrides;
use crate::schedule::CompiledSchedule;

/// Most flags own nothing, and a decision sees so without following a pointer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owned {
    overrides: Option<Arc<Overrides>>,
    /// In the order in which they are tried.
    schedules: Option<Arc<Vec<Arc<CompiledSchedule>>>>,
}

impl Owned {
    pub(crate) fn overrides(&self) -> Option<&Overrides> {
        self.overrides.as_deref()
    }

    pub(crate) fn schedules(&self) -> Option<&[Arc<CompiledSchedule>]> {
        self.schedules.as_ref().map(|schedules| schedules.as_slice())
    }

    pub(crate) fn put_override(&mut self, record: Arc<Override>) {
        Arc::make_mut(self.overrides.get_or_insert_default()).put(record);
    }

    pub(crate) fn remove_override(&mut self, entity_type: &str, entity_id: &str) {
        if let Some(overrides) = &mut self.overrides {
            Arc::make_mut(overrides).remove(entity_type, entity_id);
        }
        self.overrides.take_if(|overrides| overrides.is_empty());
    }

    pub(crate) fn put_schedule(&mut self, schedule: Arc<CompiledSchedule>) {
        let schedules = Arc::make_mut(self.schedules.get_or_insert_default());
        match schedules.iter_mut().find(|known| known.record().id == schedule.record().id) {
            Some(known) => *known = schedule,
            None => schedules.push(schedule),
        }
    }

    pub(crate) fn remove_schedule(&mut self, id: TimeScheduleId) {
        if let Some(schedules) = &mut self.schedules {
            Arc::make_mut(schedules).retain(|schedule| schedule.record().id != id);
        }
        self.schedules.take_if(|schedules| schedules.is_empty());
    }
}

/// A flag's id, with what was put for it, whether the flag is there or not.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    id: FlagId,
    /// The flag of that id; several, where a store holds what it should not.
    pub(crate) keys: Vec<FlagKey>,
    pub(crate) owned: Owned,
}

impl Owner {
    pub(crate) fn new(id: FlagId) -> Self {
        Self { id, keys: Vec::new(), owned: Owned::default() }
    }

    /// Whether there is nothing to remember of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.keys.is_empty() && self.owned.overrides.is_none() && self.owned.schedules.is_none()
    }
}

impl Keyed for Owner {
    type Key = FlagId;

    fn key(&self) -> &FlagId {
        &self.id
    }
}
