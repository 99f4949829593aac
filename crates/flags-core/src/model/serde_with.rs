//! How members that may be absent, null or empty are read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::time::{TimeOfDay, Timestamp};

/// `null` as the type's default: lists and flags that the origin may leave out.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A whole number, also one that was written as a float: Python keeps 50.0 where it was given 50.0.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_any(Whole)
}

/// Like [`whole`], or null.
pub(super) fn whole_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct OrNull(i64);
    impl<'de> Deserialize<'de> for OrNull {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            whole(deserializer).map(Self)
        }
    }
    Option::<OrNull>::deserialize(deserializer).map(|number| number.map(|OrNull(number)| number))
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number of at most 64 bits")
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<i64, E> {
        // Every whole number up to 2^53 is exact as a float; a larger one may have been another.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && number.abs() <= EXACT {
            #[allow(clippy::cast_possible_truncation, reason = "whole, and within 53 bits")]
            return Ok(number as i64);
        }
        Err(E::invalid_value(Unexpected::Float(number), &self))
    }
}

/// An instant; null and empty as none.
pub(super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    match Option::<Cow<'de, str>>::deserialize(deserializer)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// `null` as `true`.
pub(super) fn null_as_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::deserialize(deserializer).map(|value| value.unwrap_or(true))
}

/// `null` as `UTC`.
pub(super) fn null_as_utc<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(|value| value.unwrap_or_else(utc))
}

/// Null or empty as midnight.
pub(super) fn start_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeOfDay, D::Error> {
    time_or(deserializer, TimeOfDay::MIDNIGHT)
}

/// Null or empty as the day's last minute.
pub(super) fn end_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeOfDay, D::Error> {
    time_or(deserializer, TimeOfDay::LAST_MINUTE)
}

fn time_or<'de, D: Deserializer<'de>>(deserializer: D, absent: TimeOfDay) -> Result<TimeOfDay, D::Error> {
    match Option::<Cow<'de, str>>::deserialize(deserializer)?.as_deref() {
        None | Some("") => Ok(absent),
        Some(text) => text.parse().map_err(D::Error::custom),
    }
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn utc() -> String {
    "UTC".to_owned()
}
