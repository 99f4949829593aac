//! [`Case`]: one check of one clause.

use std::fmt;

use futures_util::future::LocalBoxFuture;

use crate::Clause;
use crate::context::Context;
use crate::stop::Checked;

/// One case of the suite.
pub struct Case {
    pub(crate) name: &'static str,
    pub(crate) clause: Clause,
    pub(crate) threads: bool,
    pub(crate) run: for<'a> fn(&'a Context) -> LocalBoxFuture<'a, Checked>,
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
            run: |context| Box::pin($name(context)),
        }
    };
}
pub(crate) use cases;
