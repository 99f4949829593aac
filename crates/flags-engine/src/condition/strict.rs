//! The strict tests: values of one type compare, all else is no answer.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use regex::Regex;
use semver::Version;

use super::compile::Place;
use super::operator::{Operator, Order};
use super::window::Window;
use crate::date::DateTime;
use crate::pattern;
use crate::value::{Value, View, equal, order};

#[derive(Debug)]
pub(super) enum Test {
    Equal { expected: Value, want: bool },
    Order { expected: Value, order: Order },
    In { items: Value, texts: HashSet<Box<str>>, want: bool },
    Contains { expected: Value, want: bool },
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Matches(Arc<Regex>),
    Version { expected: Version, order: Order },
    VersionEqual(Version),
    Date { expected: DateTime, order: Ordering },
    Window(Window),
    Cidr(Box<[IpNet]>),
}

impl Test {
    /// The test, or why there is none.
    pub(super) fn new(operator: Operator, expected: &Value) -> Result<Self, String> {
        let text = || expected.as_str().ok_or_else(|| "the value is no text".to_owned());
        Ok(match operator {
            Operator::Equal(want) => Self::Equal { expected: expected.clone(), want },
            Operator::Order(order) => Self::Order { expected: expected.clone(), order },
            Operator::In(want) => match expected.view() {
                View::List(items) => Self::In {
                    items: expected.clone(),
                    texts: items.iter().filter_map(Value::as_str).map(Into::into).collect(),
                    want,
                },
                _ => return Err("the value is no list".to_owned()),
            },
            Operator::Contains(want) => Self::Contains { expected: expected.clone(), want },
            Operator::StartsWith => Self::StartsWith(text()?.into()),
            Operator::EndsWith => Self::EndsWith(text()?.into()),
            Operator::Matches => {
                Self::Matches(pattern::compile(text()?).map_err(|refused| refused.to_string())?)
            }
            Operator::VersionEqual => Self::VersionEqual(version(text()?).ok_or("the value is no version")?),
            Operator::Version(order) => {
                Self::Version { expected: version(text()?).ok_or("the value is no version")?, order }
            }
            Operator::Date(order) => {
                let expected = DateTime::read(expected.view()).ok_or("the value is no instant")?;
                expected.instant().map_err(|raised| raised.to_string())?;
                Self::Date { expected, order }
            }
            Operator::TimeWindow => {
                let mut problems = Vec::new();
                let window = Window::new(expected, Place::Rule, &mut |problem| problems.push(problem));
                match problems.pop() {
                    None if window.is_sound() => Self::Window(window),
                    problem => return Err(problem.unwrap_or_default()),
                }
            }
            Operator::Cidr => Self::Cidr(networks(expected)?),
            Operator::Segment(_) => return Err("a segment has no attribute".to_owned()),
        })
    }

    /// Whether it holds; `None` when the attribute is missing or of another type.
    pub(super) fn holds(&self, actual: View<'_>) -> Option<bool> {
        match self {
            Self::Equal { expected, want } => {
                comparable(actual, expected.view()).then(|| equal(actual, expected.view()) == *want)
            }
            Self::Order { expected, order: wanted } => comparable(actual, expected.view())
                .then(|| {
                    order(actual, expected.view()).ok().flatten().map(|ordering| wanted.admits(ordering))
                })
                .flatten(),
            Self::In { items, texts, want } => {
                let is_in = match actual {
                    View::Null => return None,
                    View::Str(text) => texts.contains(text),
                    other => has(items, other),
                };
                Some(is_in == *want)
            }
            Self::Contains { expected, want } => {
                let holds_it = match (actual, expected.view()) {
                    (View::Str(text), View::Str(part)) => text.contains(part),
                    (View::List(items), part) => items.iter().any(|item| same(item.view(), part)),
                    (View::Object(object), View::Str(name)) => object.get(name).is_some(),
                    _ => return None,
                };
                Some(holds_it == *want)
            }
            Self::StartsWith(start) => text(actual).map(|text| text.starts_with(&**start)),
            Self::EndsWith(end) => text(actual).map(|text| text.ends_with(&**end)),
            Self::Matches(regex) => text(actual).map(|text| regex.is_match(text)),
            Self::Version { expected, order } => {
                version(text(actual)?).map(|actual| order.admits(actual.cmp_precedence(expected)))
            }
            Self::VersionEqual(expected) => {
                version(text(actual)?).map(|actual| actual.cmp_precedence(expected).is_eq())
            }
            Self::Date { expected, order } => {
                let actual = DateTime::read(actual).filter(|_| !matches!(actual, View::Bool(_)))?;
                Some(actual.instant().ok()?.cmp(&expected.instant().ok()?) == *order)
            }
            Self::Window(_) if matches!(actual, View::Bool(_)) => None,
            Self::Window(window) => {
                DateTime::read(actual)?;
                window.holds(actual).ok()
            }
            Self::Cidr(networks) => {
                let address: IpAddr = text(actual)?.parse().ok()?;
                Some(networks.iter().any(|network| network.contains(&address)))
            }
        }
    }
}

fn text(view: View<'_>) -> Option<&str> {
    match view {
        View::Str(text) => Some(text),
        _ => None,
    }
}

fn has(items: &Value, actual: View<'_>) -> bool {
    matches!(items.view(), View::List(items) if items.iter().any(|item| same(item.view(), actual)))
}

/// Equal, and of one type: `true` is not `1`.
fn same(a: View<'_>, b: View<'_>) -> bool {
    comparable(a, b) && equal(a, b)
}

/// Of one type; numbers are one type. Null is of none.
fn comparable(a: View<'_>, b: View<'_>) -> bool {
    let number = |view| matches!(view, View::Small(_) | View::Big(_) | View::Float(_));
    match (a, b) {
        (View::Null, _) => false,
        (View::List(a), View::List(b)) => {
            a.iter().zip(b).all(|(a, b)| a.is_null() && b.is_null() || comparable(a.view(), b.view()))
        }
        _ if number(a) => number(b),
        _ => std::mem::discriminant(&a) == std::mem::discriminant(&b),
    }
}

/// A semantic version; a leading `v` and missing parts are forgiven.
fn version(text: &str) -> Option<Version> {
    let text = text.trim().trim_start_matches(['v', 'V']);
    let core = text.find(['-', '+']).unwrap_or(text.len());
    match text[..core].split('.').count() {
        3 => Version::parse(text).ok(),
        2 => Version::parse(&format!("{}.0{}", &text[..core], &text[core..])).ok(),
        1 => Version::parse(&format!("{}.0.0{}", &text[..core], &text[core..])).ok(),
        _ => None,
    }
}

/// One network or a list of them; an address is a network of one.
fn networks(expected: &Value) -> Result<Box<[IpNet]>, String> {
    let read = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| format!("{value} is no network like 10.0.0.0/8"))
    };
    match expected.view() {
        View::List(items) => items.iter().map(read).collect(),
        _ => read(expected).map(|network| [network].into()),
    }
}
