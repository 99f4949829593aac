//! The origin's tests: Python's operators on Python's types.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use regex::Regex;

use super::compile::Place;
use super::operator::{Operator, Order};
use super::version::Version;
use super::window::Window;
use crate::date::DateTime;
use crate::pattern::{self, Refused};
use crate::raised::Raised;
use crate::value::{Value, View, contains, display, equal, order, truthy};

#[derive(Debug)]
pub(super) enum Test {
    Equal {
        expected: Value,
        want: bool,
    },
    Order {
        expected: Value,
        order: Order,
    },
    /// The expected value is not empty.
    In {
        expected: Value,
        texts: Option<HashSet<Box<str>>>,
        want: bool,
    },
    Contains {
        expected: Value,
        want: bool,
    },
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Matches(Arc<Regex>),
    Version {
        expected: Version,
        order: Order,
    },
    VersionEqual(Version),
    Date {
        expected: DateTime,
        order: Ordering,
    },
    Window(Window),
    Always(bool),
    /// If the attribute holds anything.
    RaisesIfTruthy(Raised),
}

/// From so many texts on, a list is looked up by hash.
const HASHED: usize = 8;

impl Test {
    pub(super) fn new(
        operator: Operator,
        expected: &Value,
        place: Place,
        problem: &mut dyn FnMut(String),
    ) -> Self {
        let kept = || expected.clone();
        let text = || display(expected.view()).into_owned().into_boxed_str();
        match operator {
            Operator::Equal(want) => Self::Equal { expected: kept(), want },
            Operator::Order(order) => Self::Order { expected: kept(), order },
            Operator::In(want) if !truthy(expected.view()) => Self::Always(!want),
            Operator::In(want) => Self::In { expected: kept(), texts: hashed(expected), want },
            Operator::Contains(want) => Self::Contains { expected: kept(), want },
            Operator::StartsWith => Self::StartsWith(text()),
            Operator::EndsWith => Self::EndsWith(text()),
            Operator::Matches => pattern_test(expected, problem),
            Operator::VersionEqual => version(expected, problem, Self::VersionEqual),
            Operator::Version(order) => {
                version(expected, problem, |expected| Self::Version { expected, order })
            }
            Operator::Date(order) => match DateTime::read(expected.view()) {
                Some(expected) => Self::Date { expected, order },
                None => {
                    problem("the value is no instant: it never holds".to_owned());
                    Self::Always(false)
                }
            },
            Operator::TimeWindow => Self::Window(Window::new(expected, place, problem)),
            Operator::Segment(_) | Operator::Cidr => Self::Always(false),
        }
    }

    pub(super) fn holds(&self, actual: View<'_>) -> Result<bool, Raised> {
        Ok(match self {
            Self::Always(answer) => *answer,
            Self::Equal { expected, want } => equal(actual, expected.view()) == *want,
            Self::Order { expected, order: wanted } => {
                !matches!(actual, View::Null)
                    && order(actual, expected.view())?.is_some_and(|ordering| wanted.admits(ordering))
            }
            Self::In { expected, texts, want } => {
                let is_in = match (texts, actual) {
                    (Some(texts), View::Str(text)) => texts.contains(text),
                    _ => contains(expected.view(), actual)?,
                };
                is_in == *want
            }
            Self::Contains { expected, want } => {
                let holds_it = truthy(actual) && contains(actual, expected.view())?;
                holds_it == *want
            }
            Self::StartsWith(start) => truthy(actual) && display(actual).starts_with(&**start),
            Self::EndsWith(end) => truthy(actual) && display(actual).ends_with(&**end),
            Self::Matches(regex) => truthy(actual) && regex.is_match(&display(actual)),
            Self::Version { expected, order } => {
                expected.compare(actual).is_some_and(|ordering| order.admits(ordering))
            }
            Self::VersionEqual(expected) => expected.compare(actual) == Some(Ordering::Equal),
            Self::Date { expected, order } => match DateTime::read(actual) {
                Some(actual) => actual.instant()?.cmp(&expected.instant()?) == *order,
                None => false,
            },
            Self::Window(window) => window.holds(actual)?,
            Self::RaisesIfTruthy(raised) if truthy(actual) => return Err(*raised),
            Self::RaisesIfTruthy(_) => false,
        })
    }
}

fn hashed(expected: &Value) -> Option<HashSet<Box<str>>> {
    let View::List(items) = expected.view() else { return None };
    if items.len() < HASHED {
        return None;
    }
    // A text equals nothing but a text, so others need not be in the set.
    Some(items.iter().filter_map(Value::as_str).map(Into::into).collect())
}

fn pattern_test(expected: &Value, problem: &mut dyn FnMut(String)) -> Test {
    let Some(text) = expected.as_str() else {
        problem("the pattern is no text: the flag cannot be evaluated where the attribute is set".to_owned());
        return Test::RaisesIfTruthy(Raised::PatternIsNoText);
    };
    match pattern::compile(text) {
        Ok(regex) => Test::Matches(regex),
        Err(refused) => {
            problem(format!("{refused}: it never matches"));
            match refused {
                Refused::Raises(raised) => Test::RaisesIfTruthy(raised),
                _ => Test::Always(false),
            }
        }
    }
}

fn version(expected: &Value, problem: &mut dyn FnMut(String), test: impl FnOnce(Version) -> Test) -> Test {
    match Version::new(expected.view()) {
        Some(version) => test(version),
        None => {
            problem("the value is no version of numbers and dots: it never holds".to_owned());
            Test::Always(false)
        }
    }
}
