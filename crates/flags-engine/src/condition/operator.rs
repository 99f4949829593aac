//! [`Operator`].

use std::cmp::Ordering;

use crate::semantics::Semantics;

/// What a condition does with its attribute and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal(bool),
    Order(Order),
    In(bool),
    Contains(bool),
    StartsWith,
    EndsWith,
    Matches,
    Version(Order),
    VersionEqual,
    Segment(bool),
    Date(Ordering),
    TimeWindow,
    Cidr,
}

/// An inequality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Order {
    pub(crate) fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

impl Operator {
    /// The operator of that name; some are ours, and the origin passes over conditions with them.
    pub(crate) fn named(name: &str, semantics: Semantics) -> Option<Self> {
        Some(match name {
            "eq" => Self::Equal(true),
            "ne" => Self::Equal(false),
            "gt" => Self::Order(Order::Greater),
            "gte" => Self::Order(Order::GreaterOrEqual),
            "lt" => Self::Order(Order::Less),
            "lte" => Self::Order(Order::LessOrEqual),
            "in" => Self::In(true),
            "not_in" => Self::In(false),
            "contains" => Self::Contains(true),
            "not_contains" => Self::Contains(false),
            "starts_with" => Self::StartsWith,
            "ends_with" => Self::EndsWith,
            "matches" => Self::Matches,
            "semver_eq" => Self::VersionEqual,
            "semver_gt" => Self::Version(Order::Greater),
            "semver_lt" => Self::Version(Order::Less),
            "in_segment" => Self::Segment(true),
            "not_in_segment" => Self::Segment(false),
            "date_after" => Self::Date(Ordering::Greater),
            "date_before" => Self::Date(Ordering::Less),
            "time_window" => Self::TimeWindow,
            _ if semantics == Semantics::Compat => return None,
            "semver_gte" => Self::Version(Order::GreaterOrEqual),
            "semver_lte" => Self::Version(Order::LessOrEqual),
            "cidr" => Self::Cidr,
            _ => return None,
        })
    }
}
