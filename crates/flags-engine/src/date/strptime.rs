//! The six formats that the origin tries first, with the looseness of Python's `strptime`: a part may have
//! one digit, a space may stand before the day, `t` may be small, white space may be long.

use jiff::civil::Date;

use super::{DateTime, SECOND};
use crate::value::is_space;

/// `YYYY-MM-DD`, then nothing, or a time after a space, or a time with an optional fraction and offset after
/// a `T`.
pub(super) fn parse(text: &str) -> Option<DateTime> {
    let mut rest = Rest(text);
    let year = rest.digits(4, 4)?;
    rest.expect('-')?;
    let month = rest.part(1, 12)?;
    rest.expect('-')?;
    let day = rest.spaced_day()?;
    let date =
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    if rest.0.is_empty() {
        return DateTime::from_parts(date, 0, None);
    }
    if rest.expect('T').or_else(|| rest.expect('t')).is_some() {
        let time = rest.time()?;
        let fraction = rest.fraction()?;
        let offset = rest.offset()?;
        return rest.end(DateTime::from_parts(date, time + fraction, offset));
    }
    rest.spaces()?;
    let time = rest.time()?;
    rest.end(DateTime::from_parts(date, time, None))
}

struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn expect(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c)?;
        Some(())
    }

    fn end(&self, value: Option<DateTime>) -> Option<DateTime> {
        value.filter(|_| self.0.is_empty())
    }

    fn spaces(&mut self) -> Option<()> {
        let rest = self.0.trim_start_matches(is_space);
        let some = rest.len() < self.0.len();
        self.0 = rest;
        some.then_some(())
    }

    /// At least `min` and at most `max` digits, as many as there are.
    fn digits(&mut self, min: usize, max: usize) -> Option<i64> {
        let count = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        if count < min {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.parse().ok()
    }

    /// Two digits if they are within the range, else one.
    fn part(&mut self, low: i64, high: i64) -> Option<i64> {
        let before = self.0;
        if let Some(two) = self.digits(2, 2).filter(|n| (low..=high).contains(n)) {
            return Some(two);
        }
        self.0 = before;
        self.digits(1, 1).filter(|n| (low..=high).contains(n))
    }

    fn spaced_day(&mut self) -> Option<i64> {
        match self.expect(' ') {
            Some(()) => self.digits(1, 1).filter(|n| *n > 0),
            None => self.part(1, 31),
        }
    }

    fn time(&mut self) -> Option<i64> {
        let hour = self.part(0, 23)?;
        self.expect(':')?;
        let minute = self.part(0, 59)?;
        self.expect(':')?;
        // Leap seconds parse, and then are out of range.
        let second = self.part(0, 61).filter(|second| *second < 60)?;
        Some((hour * 3_600 + minute * 60 + second) * SECOND)
    }

    fn fraction(&mut self) -> Option<i64> {
        if self.expect('.').is_none() {
            return Some(0);
        }
        let before = self.0.len();
        let digits = self.digits(1, 6)?;
        Some(digits * 10_i64.pow(u32::try_from(6_usize.saturating_sub(before - self.0.len())).ok()?))
    }

    /// `Z`, or a sign, two digits each, and colons between all of them or none.
    #[allow(clippy::option_option, reason = "no offset is fine, a malformed one is not")]
    fn offset(&mut self) -> Option<Option<i64>> {
        if self.0.is_empty() {
            return Some(None);
        }
        if self.expect('Z').is_some() {
            return Some(Some(0));
        }
        let sign = if self.expect('-').is_some() { -1 } else { self.expect('+').map(|()| 1)? };
        let hours = self.digits(2, 2)?;
        let colons = self.expect(':').is_some();
        let minutes = self.digits(2, 2).filter(|n| *n < 60)?;
        let mut micros = (hours * 3_600 + minutes * 60) * SECOND;
        if !self.0.is_empty() {
            if colons != self.expect(':').is_some() {
                return None;
            }
            micros += self.digits(2, 2).filter(|n| *n < 60)? * SECOND + self.fraction()?;
        }
        Some(Some(sign * micros))
    }
}
