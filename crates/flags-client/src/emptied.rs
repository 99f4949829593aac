//! Whether a store was emptied: what of a change tells that, and what does not.
//!
//! A store that loses everything at one stroke is not believed, but a store that says so one record
//! at a time would be: a read may be answered by an emptied store before the watch, which has a
//! connection of its own, tells of it. So a removal is believed only from a store that still holds
//! flags.

use std::collections::HashSet;

use flags_core::{FlagKey, Key, Result, StorageHandle};
use flags_engine::Ruleset;

/// So many flags are asked for. One of them is enough; some may just have been deleted.
const WITNESSES: usize = 16;

/// Whether the store holds any of the flags that are known of it, other than those that were asked
/// for already. Asks it once.
pub(crate) async fn holds_others(
    storage: &StorageHandle,
    ruleset: &Ruleset,
    asked: &HashSet<FlagKey>,
) -> Result<bool> {
    let most = WITNESSES.min(storage.descriptor().limits().batch_ops);
    let others = ruleset.flags().map(|flag| &flag.key).filter(|key| !asked.contains(*key));
    let keys: Vec<Key> = others.take(most).cloned().map(Key::Flag).collect();
    if keys.is_empty() {
        return Ok(false);
    }
    let answers = storage.get(&keys).await?;
    // One that cannot be read is there.
    Ok(answers.iter().any(|answer| !matches!(answer, Ok(None))))
}
