//! [`Observer`]: whoever follows a decision step by step.

use crate::condition::Condition;
use crate::flag::{CompiledFlag, CompiledRule, Variants};
use crate::overrides::CompiledOverride;
use crate::raised::Raised;
use crate::schedule::CompiledSchedule;

/// Told of each step; one that does nothing costs nothing.
pub(crate) trait Observer {
    /// Whether anybody watches: if not, what cannot change the decision need not be looked at.
    const WATCHES: bool = true;

    fn override_looked_up(
        &mut self,
        _entity_type: &str,
        _entity_id: &str,
        _found: Option<(&CompiledOverride, bool)>,
    ) {
    }
    fn schedule(&mut self, _schedule: &CompiledSchedule, _active: Result<bool, Raised>) {}
    fn rule(&mut self, _flag: &CompiledFlag, _rule: &CompiledRule) {}
    fn condition(&mut self, _condition: &Condition, _holds: Result<bool, Raised>) {}
    fn rollout(&mut self, _bucket: Option<u32>, _percentage: i64, _within: bool) {}
    fn rule_matched(&mut self) {}
    fn variants(&mut self, _flag: &CompiledFlag, _variants: &Variants, _bucket: u64) {}
}

/// Nobody watches.
impl Observer for () {
    const WATCHES: bool = false;
}
