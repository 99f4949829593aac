//! [`Clause`].

use std::fmt;

macro_rules! clauses {
    ($($(#[$doc:meta])* $Clause:ident = $title:literal),+ $(,)?) => {
        /// What a case checks: a clause of the contract that [`Storage`](flags_core::Storage) documents, or
        /// the typed API above it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Clause {
            $($(#[$doc])* $Clause,)+
        }

        impl Clause {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$Clause),+];

            /// Its name, as in `C3`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Clause => stringify!($Clause),)+
                }
            }

            /// Its title, as in the contract.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$Clause => $title,)+
                }
            }
        }
    };
}

clauses! {
    /// What was committed is read.
    C1 = "read your commit",
    /// A commit applies every operation or none.
    C2 = "all or nothing",
    /// Conditions are judged against one state, atomically with the writes.
    C3 = "conditions",
    /// Different values have different revisions.
    C4 = "revisions",
    /// Three different answers.
    C5 = "absent, unreadable, unreachable",
    /// What a flag owns lives and dies with it.
    C6 = "ownership",
    /// Second names are unique.
    C7 = "aliases",
    /// An expired record is absent.
    C8 = "expiry",
    /// Every record is listed exactly once.
    C9 = "listing",
    /// What a caller does with a record never changes the store.
    C10 = "isolation of values",
    /// Two namespaces never see each other.
    C11 = "namespaces",
    /// Every change is reported.
    C12 = "watch",
    /// A dropped commit is applied wholly or not at all.
    C13 = "cancellation",
    /// Every call ends, and says honestly how.
    C14 = "outcomes",
    /// A call beyond the limits is refused.
    C15 = "limits",
    /// The typed API, which is written once above the contract, answers on this backend as on any other.
    Typed = "the typed API",
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
