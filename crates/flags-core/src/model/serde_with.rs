//! How members that may be absent, null or empty are read.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::time::TimeOfDay;

/// `null` as the type's default: lists and flags that the origin may leave out.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
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
