//! [`Timestamp`]: an instant with the precision of Python's `datetime`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::parsing::Parsed;
use time::{OffsetDateTime, UtcOffset};

use super::{InvalidTime, serde_as_text};

/// An instant, in whole microseconds.
///
/// * From `0001-01-01T00:00:00Z` to `9999-12-31T23:59:59.999999Z`, as Python's `datetime` in UTC.
/// * Written as Python's `isoformat()` does in UTC: `2026-03-01T09:30:00.000500+00:00`, the fraction only
///   where it is not zero.
/// * Read from everything `isoformat()` writes (an offset with seconds too, though not with fractions of
///   one), and from `Z`, a space for `T`, a date alone, and up to nine fraction digits, of which six are
///   kept. Without an offset it means UTC.
///
/// # Examples
///
/// ```
/// use flags_core::Timestamp;
///
/// let instant: Timestamp = "2026-03-01 15:15:00.25+05:45".parse()?;
/// assert_eq!(instant.to_string(), "2026-03-01T09:30:00.250000+00:00");
/// # Ok::<(), flags_core::time::InvalidTime>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const WHAT: &str = "an instant";
const RANGE: &str = "it lies outside the years 1 to 9999";

const DATE: &[BorrowedFormatItem<'_>] = format_description!(version = 2, "[year]-[month]-[day]");
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!(version = 2, "[hour]:[minute][optional [:[second][optional [.[subsecond]]]]]");
const OFFSET: &[BorrowedFormatItem<'_>] = format_description!(
    version = 2,
    "[offset_hour sign:mandatory]:[offset_minute][optional [:[offset_second]]]"
);

impl Timestamp {
    /// The earliest instant.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// The latest instant.
    pub const MAX: Self = Self(253_402_300_799_999_999);
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// The instant so many microseconds after the Unix epoch; `None` outside the range above.
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 { None } else { Some(Self(micros)) }
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The system clock's instant now.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The instant so much later, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::MAX.0))
    }

    /// The instant so much earlier, at least [`Timestamp::MIN`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(Self::MIN.0))
    }

    /// How much later this is than `earlier`; zero if it is not.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for Timestamp {
    /// Clamped to the range of this type.
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self::UNIX_EPOCH.saturating_add(after),
            Err(before) => Self::UNIX_EPOCH.saturating_sub(before.duration()),
        }
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        // Every timestamp lies within the range of `OffsetDateTime`.
        Self::from_unix_timestamp_nanos(i128::from(timestamp.0) * 1_000).unwrap_or(Self::UNIX_EPOCH)
    }
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = InvalidTime;

    fn try_from(time: OffsetDateTime) -> Result<Self, InvalidTime> {
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000))
            .ok()
            .and_then(Self::from_unix_micros)
            .ok_or(InvalidTime::new(WHAT, RANGE))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        parse(text)?.try_into()
    }
}

fn parse(text: &str) -> Result<OffsetDateTime, InvalidTime> {
    let malformed = |source: time::error::Parse| {
        InvalidTime::because(WHAT, "write it as 2026-03-01T09:30:00+00:00", source)
    };
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(InvalidTime::new(WHAT, "it does not begin with a year"));
    }
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    if fraction.bytes().take_while(u8::is_ascii_digit).count() > 9 {
        return Err(InvalidTime::new(WHAT, "its fraction has more than nine digits"));
    }
    let mut parsed = Parsed::new();
    let mut rest = parsed.parse_items(text.as_bytes(), DATE).map_err(|e| malformed(e.into()))?;
    parsed.set_hour_24(0);
    parsed.set_minute(0);
    let mut offset = UtcOffset::UTC;
    if let [b'T' | b't' | b' ', time @ ..] = rest {
        rest = parsed.parse_items(time, TIME).map_err(|e| malformed(e.into()))?;
        if matches!(rest, b"Z" | b"z") {
            rest = b"";
        } else if !rest.is_empty() {
            rest = parsed.parse_items(rest, OFFSET).map_err(|e| malformed(e.into()))?;
            offset = UtcOffset::try_from(parsed).map_err(|e| malformed(e.into()))?;
            if offset.whole_hours().abs() >= 24 {
                return Err(InvalidTime::new(WHAT, "its offset is a day or more"));
            }
        }
    }
    if !rest.is_empty() {
        return Err(InvalidTime::new(WHAT, "something follows it"));
    }
    let date_time = time::PrimitiveDateTime::try_from(parsed).map_err(|e| malformed(e.into()))?;
    date_time
        .assume_utc()
        .checked_sub(time::Duration::seconds(i64::from(offset.whole_seconds())))
        .ok_or(InvalidTime::new(WHAT, RANGE))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = OffsetDateTime::from(*self);
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second, micro) = time.to_hms_micro();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", u8::from(month))?;
        if micro != 0 {
            write!(f, ".{micro:06}")?;
        }
        f.write_str("+00:00")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

serde_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        text.parse::<Timestamp>().map_or_else(|e| e.to_string(), |t| t.to_string())
    }

    #[test]
    fn reads_what_python_writes_and_writes_it_in_utc() {
        for (text, want) in [
            ("2027-03-11T07:47:57", "2027-03-11T07:47:57+00:00"),
            ("2026-11-11T02:43:49.634577-09:30", "2026-11-11T12:13:49.634577+00:00"),
            ("2026-03-01T00:00:00+05:53:28", "2026-02-28T18:06:32+00:00"),
            ("2026-03-01T00:00:00-00:00:30", "2026-03-01T00:00:30+00:00"),
            ("2026-03-01", "2026-03-01T00:00:00+00:00"),
            ("2026-03-01 10:20", "2026-03-01T10:20:00+00:00"),
            ("2026-03-01T10:20Z", "2026-03-01T10:20:00+00:00"),
            ("2026-03-01T10:20:30.123456789Z", "2026-03-01T10:20:30.123456+00:00"),
            ("2026-03-01T10:20:30.5", "2026-03-01T10:20:30.500000+00:00"),
            ("0001-01-01T00:00:00", "0001-01-01T00:00:00+00:00"),
            ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999+00:00"),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "soon",
            "2026-3-1",
            "2026-02-30",
            "2026-03-01T",
            "2026-03-01T25:00:00",
            "2026-03-01T10:20:60",
            "2026-03-01T10:20:30+25:00",
            "2026-03-01T10:20:30 ",
            "2026-03-01T10:20:30+05",
            "+2026-03-01",
            "0000-12-31T23:59:59",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "1767225600",
            "2026-03-01T10:20:30.1234567890",
            "2026-03-01T10:20:30.",
        ] {
            let outcome = read(text);
            assert!(outcome.starts_with("not an instant"), "{text:?} gave {outcome}");
        }
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(Timestamp::MAX.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::from_secs(1)), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.saturating_since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::from_unix_micros(-1).map(Timestamp::unix_millis), Some(-1));
    }
}
