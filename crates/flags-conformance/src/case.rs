//! [`Case`]: one check of one clause.

use std::fmt;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use crate::context::Context;
use crate::runner::run_case;
use crate::stop::Checked;
use crate::{Clause, Harness, Outcome};

/// One case of the suite.
pub struct Case {
    pub(crate) name: &'static str,
    pub(crate) clause: Clause,
    pub(crate) threads: bool,
    pub(crate) body: for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Checked>,
}

impl Case {
    /// Its name: the clause and what it checks, as in `c03_create_of_an_existing_record_is_refused`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The clause that it checks.
    #[must_use]
    pub fn clause(&self) -> Clause {
        self.clause
    }

    /// Runs it against a fresh namespace, on a thread and a runtime of its own, for a bounded time.
    pub fn run(&'static self, harness: &Arc<dyn Harness>) -> Outcome {
        run_case(harness, self)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("clause", &self.clause).finish_non_exhaustive()
    }
}

/// The cases of one module: each is a function, and is called by the function's name. `on threads` adds
/// the same case on a runtime of several threads.
macro_rules! cases {
    ($Clause:ident: $($name:ident $(on $threads:ident)?),+ $(,)?) => {
        pub(super) const CASES: &[&[$crate::Case]] = &[$($crate::case::cases!(@ $Clause $name $($threads)?)),+];
    };
    (@ $Clause:ident $name:ident) => { &[$crate::case::cases!(# $Clause $name stringify!($name), false)] };
    (@ $Clause:ident $name:ident threads) => {
        &[
            $crate::case::cases!(# $Clause $name stringify!($name), false),
            $crate::case::cases!(# $Clause $name concat!(stringify!($name), "_on_threads"), true),
        ]
    };
    (# $Clause:ident $name:ident $text:expr, $threads:literal) => {
        $crate::Case {
            name: $text,
            clause: $crate::Clause::$Clause,
            threads: $threads,
            body: |context| Box::pin($name(context)),
        }
    };
}
pub(crate) use cases;
