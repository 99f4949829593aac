//! [`Outcome`] and [`Report`].

use std::fmt;

use crate::{Case, Clause};

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The backend keeps it.
    Passed,
    /// The backend breaks it: the clause, what was done, what was expected, what came.
    Failed(String),
    /// The case cannot be run: a capability is not declared, or the harness does not offer what it needs.
    Ignored(String),
}

/// The outcomes of all the cases that were run, in the order of the clauses.
#[derive(Debug, Default)]
pub struct Report {
    outcomes: Vec<(&'static Case, Outcome)>,
}

impl Report {
    pub(crate) fn new(outcomes: Vec<(&'static Case, Outcome)>) -> Self {
        Self { outcomes }
    }

    /// Every case with its outcome.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Case, &Outcome)> {
        self.outcomes.iter().map(|(case, outcome)| (*case, outcome))
    }

    /// The cases that failed, with their messages.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Case, &str)> {
        self.iter().filter_map(|(case, outcome)| match outcome {
            Outcome::Failed(message) => Some((case, message.as_str())),
            _ => None,
        })
    }

    /// The clauses that at least one case found broken.
    #[must_use]
    pub fn broken_clauses(&self) -> Vec<Clause> {
        let mut clauses: Vec<Clause> = self.failures().map(|(case, _)| case.clause()).collect();
        clauses.sort_unstable();
        clauses.dedup();
        clauses
    }

    /// Whether no case failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failures().next().is_none()
    }
}

impl fmt::Display for Report {
    /// The cases that did not pass, a line each, and a count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, outcome) in self.iter() {
            match outcome {
                Outcome::Passed => {}
                Outcome::Failed(message) => writeln!(f, "FAILED  {}: {message}", case.name())?,
                Outcome::Ignored(reason) => writeln!(f, "ignored {}: {reason}", case.name())?,
            }
        }
        let count = |wanted: fn(&Outcome) -> bool| self.iter().filter(|(_, outcome)| wanted(outcome)).count();
        write!(
            f,
            "{} passed, {} failed, {} ignored",
            count(|o| matches!(o, Outcome::Passed)),
            count(|o| matches!(o, Outcome::Failed(_))),
            count(|o| matches!(o, Outcome::Ignored(_)))
        )
    }
}
