//! [`TimeOfDay`]: a wall-clock time without a date.

use std::fmt;
use std::str::FromStr;

use time::Time;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::{InvalidTime, serde_as_text};

/// A time of day, in whole microseconds, without a date or a zone.
///
/// * Written as Python's `time.isoformat()` does: `09:30:00`, `00:00:00.000500`.
/// * Read from `HH:MM`, `HH:MM:SS` and `HH:MM:SS.f` with up to nine digits, of which six are kept.
///
/// # Examples
///
/// ```
/// use flags_core::TimeOfDay;
///
/// let opening: TimeOfDay = "09:00".parse()?;
/// assert_eq!(opening, TimeOfDay::new(9, 0, 0)?);
/// assert_eq!(opening.to_string(), "09:00:00");
/// # Ok::<(), flags_core::time::InvalidTime>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(Time);

const WHAT: &str = "a time of day";
const FORM: &[BorrowedFormatItem<'_>] =
    format_description!(version = 2, "[hour]:[minute][optional [:[second][optional [.[subsecond]]]]]");

impl TimeOfDay {
    /// 00:00:00.
    pub const MIDNIGHT: Self = Self(Time::MIDNIGHT);
    /// 23:59:00, what the origin reads an empty end as.
    pub const LAST_MINUTE: Self = Self(time::macros::time!(23:59));

    /// The time at that hour (0..=23), minute (0..=59) and second (0..=59).
    ///
    /// # Errors
    ///
    /// When one of them is out of its range.
    pub fn new(hour: u8, minute: u8, second: u8) -> Result<Self, InvalidTime> {
        Time::from_hms(hour, minute, second)
            .map(Self)
            .map_err(|source| InvalidTime::because(WHAT, "a part is out of range", source))
    }

    /// Microseconds since midnight.
    #[must_use]
    pub fn micros_since_midnight(self) -> u64 {
        let (hour, minute, second, micro) = self.0.as_hms_micro();
        (u64::from(hour) * 3_600 + u64::from(minute) * 60 + u64::from(second)) * 1_000_000 + u64::from(micro)
    }
}

impl From<TimeOfDay> for Time {
    fn from(time: TimeOfDay) -> Self {
        time.0
    }
}

impl FromStr for TimeOfDay {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let time = Time::parse(text, FORM)
            .map_err(|source| InvalidTime::because(WHAT, "write it as 09:30:00", source))?;
        let whole_micros = time.microsecond() * 1_000;
        time.replace_nanosecond(whole_micros)
            .map(Self)
            .map_err(|source| InvalidTime::because(WHAT, "a part is out of range", source))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second, micro) = self.0.as_hms_micro();
        write!(f, "{hour:02}:{minute:02}:{second:02}")?;
        if micro != 0 {
            write!(f, ".{micro:06}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeOfDay({self})")
    }
}

serde_as_text!(TimeOfDay);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_three_forms_and_writes_one() -> Result<(), InvalidTime> {
        for (text, want) in [
            ("09:00", "09:00:00"),
            ("22:30:15", "22:30:15"),
            ("00:00:00.0005", "00:00:00.000500"),
            ("23:59:59.999999999", "23:59:59.999999"),
        ] {
            assert_eq!(text.parse::<TimeOfDay>()?.to_string(), want);
        }
        for text in ["", "9:00", "24:00", "09:60", "09:00:60", "09:00Z", "09", "09:00:00."] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
        assert_eq!(TimeOfDay::new(1, 0, 1)?.micros_since_midnight(), 3_601_000_000);
        Ok(())
    }
}
