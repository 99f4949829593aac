//! [`State`]: what evaluations read.

use std::sync::Arc;

use flags_core::Error;
use flags_engine::{Ruleset, Semantics};

use crate::counts::CountTable;

/// All that one evaluation sees, immutable, published whole.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) ruleset: Arc<Ruleset>,
    /// Whether the rules stand for a store at all.
    pub(crate) loaded: bool,
    pub(crate) counts: CountTable,
    pub(crate) unreadable: Arc<[Arc<Error>]>,
    /// Counts up whenever there is a flag that was not there before.
    pub(crate) flag_set: u64,
}

impl State {
    pub(crate) fn empty(semantics: Semantics) -> Self {
        Self {
            ruleset: Arc::new(Ruleset::builder(semantics).build()),
            loaded: false,
            counts: CountTable::default(),
            unreadable: Arc::from([]),
            flag_set: 0,
        }
    }
}
