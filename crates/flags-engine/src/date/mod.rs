//! Instants in conditions: what the origin reads one from, and how it compares.

mod iso;
mod strptime;

use flags_core::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::raised::Raised;
use crate::value::{Int, View};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// A wall clock, with or without its offset from UTC: Python's `datetime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateTime {
    /// Microseconds from 1970-01-01T00:00 on this wall clock.
    pub(crate) wall: i64,
    /// Microseconds east of UTC.
    pub(crate) offset: Option<i64>,
}

impl DateTime {
    /// Reads an instant from an attribute or a condition: a text, or seconds since 1970.
    pub(crate) fn read(view: View<'_>) -> Option<Self> {
        match view {
            View::Str(text) => Self::parse(text),
            View::Instant(instant) => Some(Self::utc(instant)),
            View::Bool(value) => Self::from_unix_seconds(i64::from(value)),
            View::Small(seconds) => Self::from_unix_seconds(seconds),
            View::Float(seconds) => Self::from_unix_float(seconds),
            View::Null | View::Big(_) | View::List(_) | View::Object(_) => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        strptime::parse(text).or_else(|| iso::parse(&text.replace('Z', "+00:00")))
    }

    pub(crate) fn utc(instant: Timestamp) -> Self {
        Self { wall: instant.unix_micros(), offset: Some(0) }
    }

    fn from_unix_seconds(seconds: i64) -> Option<Self> {
        Timestamp::from_unix_micros(seconds.checked_mul(SECOND)?).map(Self::utc)
    }

    /// Rounded to microseconds, a half to the even one.
    fn from_unix_float(seconds: f64) -> Option<Self> {
        if !seconds.is_finite() || seconds.abs() > 1e12 {
            return None;
        }
        let whole = seconds.trunc();
        #[allow(clippy::cast_possible_truncation, reason = "both are whole and well within 64 bits")]
        let micros = (whole as i64) * SECOND + ((seconds - whole) * 1e6).round_ties_even() as i64;
        Timestamp::from_unix_micros(micros).map(Self::utc)
    }

    /// The instant; without an offset the wall clock is of UTC.
    pub(crate) fn instant(self) -> Result<Timestamp, Raised> {
        self.wall
            .checked_sub(self.offset.unwrap_or(0))
            .and_then(Timestamp::from_unix_micros)
            .ok_or(Raised::InstantOutOfRange)
    }

    /// The instant; without an offset the wall clock is of that zone, in a gap or fold as jiff's `compatible`
    /// says.
    pub(crate) fn instant_in(self, zone: &TimeZone) -> Result<Timestamp, Raised> {
        if self.offset.is_some() {
            return self.instant();
        }
        from_wall(self.wall, zone).ok_or(Raised::InstantOutOfRange)
    }

    /// Microseconds since midnight on this wall clock.
    pub(crate) fn time_of_day(self) -> i64 {
        self.wall.rem_euclid(DAY)
    }

    /// From checked parts; a part out of its range is none.
    fn from_parts(date: Date, time: i64, offset: Option<i64>) -> Option<Self> {
        if date.year() < 1 || offset.is_some_and(|offset| offset.abs() >= DAY) {
            return None;
        }
        Some(Self { wall: days_since_epoch(date) * DAY + time, offset })
    }
}

/// Where that zone's wall clock stands at an instant.
pub(crate) fn wall_in(instant: Timestamp, zone: &TimeZone) -> i64 {
    let micros = instant.unix_micros();
    let offset = jiff::Timestamp::from_microsecond(micros).map_or(0, |at| zone.to_offset(at).seconds());
    micros + i64::from(offset) * SECOND
}

/// The instant at which a zone's wall clock stands there: after a gap's length in a gap, the earlier in a
/// fold.
pub(crate) fn from_wall(wall: i64, zone: &TimeZone) -> Option<Timestamp> {
    let naive = jiff::Timestamp::from_microsecond(wall).ok()?;
    let civil = jiff::tz::Offset::UTC.to_datetime(naive);
    let instant = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
    Timestamp::from_unix_micros(instant.as_microsecond())
}

fn days_since_epoch(date: Date) -> i64 {
    // A date is less than four million days away, which seconds hold.
    date.to_datetime(jiff::civil::Time::midnight())
        .duration_since(Date::constant(1970, 1, 1).to_datetime(jiff::civil::Time::midnight()))
        .as_secs()
        .div_euclid(86_400)
}

/// `HH:MM` and the like as Python's `int()` reads each part: microseconds since midnight.
///
/// `None` is a text that is no time. A part beyond 32 bits raises.
pub(crate) fn loose_time(text: &str) -> Option<Result<i64, Raised>> {
    let parts: Vec<Int> = text.split(':').map(Int::from_python).collect::<Option<_>>()?;
    let part = |place: usize| parts.get(place).map_or(0, Int::saturating);
    let (hour, minute, second) = (part(0), part(1), part(2));
    if [hour, minute, second].iter().any(|part| i32::try_from(*part).is_err()) {
        return Some(Err(Raised::TimeTooLarge));
    }
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    fits.then(|| Ok((hour * 3_600 + minute * 60 + second) * SECOND))
}
