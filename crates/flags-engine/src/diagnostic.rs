//! [`Diagnostic`].

use std::fmt;

use serde::Serialize;

/// What a diagnostic is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// The flag of that key.
    Flag(String),
    /// The segment of that name.
    Segment(String),
}

/// Something in a flag or segment that could not be compiled, or does not mean what it seems to. It
/// changes no decision but those that depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What it is about.
    pub subject: Subject,
    /// Where in it: `rules[beta].conditions[0]`, say.
    pub place: String,
    /// What is wrong, and what comes of it.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Flag(key) => write!(f, "flag {key}")?,
            Subject::Segment(name) => write!(f, "segment {name}")?,
        }
        write!(f, ", {}: {}", self.place, self.message)
    }
}

/// Collects what is wrong with one record.
#[derive(Debug)]
pub(crate) struct Report {
    subject: Subject,
    found: Vec<Diagnostic>,
}

impl Report {
    pub(crate) fn new(subject: Subject) -> Self {
        Self { subject, found: Vec::new() }
    }

    pub(crate) fn add(&mut self, place: impl Into<String>, message: impl Into<String>) {
        let (place, message) = (place.into(), message.into());
        self.found.push(Diagnostic { subject: self.subject.clone(), place, message });
    }

    pub(crate) fn finish(self) -> Box<[Diagnostic]> {
        self.found.into()
    }
}
