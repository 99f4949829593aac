//! [`Health`].

use std::time::Duration;

/// What a health check found. That the store answered at all is in getting one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Health {
    /// How long the store took to answer.
    pub latency: Duration,
    /// What the store says of itself, in order of importance.
    pub facts: Vec<Fact>,
    /// What an operator should look at, a sentence each.
    pub warnings: Vec<String>,
}

/// One thing that a store says of itself: `role` is `master`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact {
    /// What it is about, in snake case.
    pub name: &'static str,
    /// What it says.
    pub value: String,
}

impl Health {
    /// A store that answered after `latency`.
    #[must_use]
    pub fn answered_after(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with_fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push(Fact { name, value: value.into() });
        self
    }

    /// Adds a warning.
    #[must_use]
    pub fn with_warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}
