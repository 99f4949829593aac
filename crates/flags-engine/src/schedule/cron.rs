//! Cron expressions: five fields, each the set of values that match.

use super::Wall;
use crate::raised::Raised;
use crate::value::{Int, is_space};

/// An expression, each field resolved for every value that it can meet.
#[derive(Debug)]
pub(super) struct Cron {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
    /// A day matches by its day of the month or by its weekday, where both are restricted.
    either_day: bool,
}

/// One bit a value.
#[derive(Debug, Clone, Copy, Default)]
struct Field {
    matches: u64,
    /// Values for which the origin divides by zero.
    raises: u64,
}

impl Field {
    fn judge(self, value: i64) -> Result<bool, Raised> {
        let has = |bits: u64| bits >> value & 1 == 1;
        if has(self.raises) { Err(Raised::StepOfZero) } else { Ok(has(self.matches)) }
    }
}

impl Cron {
    /// As the origin reads it: no names, no 7, and a field that makes no sense matches nothing.
    pub(super) fn compat(expression: &str) -> Option<Self> {
        Self::read(expression, |text, low, high, _| Some(compat_field(text, low, high))).map(|(cron, _)| cron)
    }

    /// As cron itself reads it; `None` when it does not.
    pub(super) fn strict(expression: &str) -> Option<Self> {
        let (mut cron, fields) = Self::read(expression, strict_field)?;
        // Sunday is 0 and 7.
        cron.weekday.matches |= cron.weekday.matches >> 7 & 1;
        cron.either_day = !fields[2].starts_with('*') && !fields[4].starts_with('*');
        Some(cron)
    }

    fn read(
        expression: &str,
        field: impl Fn(&str, i64, i64, &[&str]) -> Option<Field>,
    ) -> Option<(Self, Vec<&str>)> {
        let fields: Vec<&str> = expression.split(is_space).filter(|field| !field.is_empty()).collect();
        let [minute, hour, day, month, weekday] = fields[..] else { return None };
        let cron = Self {
            minute: field(minute, 0, 59, &[])?,
            hour: field(hour, 0, 23, &[])?,
            day: field(day, 1, 31, &[])?,
            month: field(month, 1, 12, &MONTHS)?,
            weekday: field(weekday, 0, 6, &WEEKDAYS)?,
            either_day: false,
        };
        Some((cron, fields))
    }

    pub(super) fn matches(&self, wall: Wall) -> Result<bool, Raised> {
        // In this order, since the first field that does not match hides a later division by zero.
        Ok(self.minute.judge(wall.minute())? && self.hour.judge(wall.hour())? && self.on_day(wall)?)
    }

    fn on_day(&self, wall: Wall) -> Result<bool, Raised> {
        let weekday = i64::from(wall.date.weekday().to_sunday_zero_offset());
        let (day, month) = (i64::from(wall.date.day()), i64::from(wall.date.month()));
        if self.either_day {
            return Ok(self.month.judge(month)? && (self.day.judge(day)? || self.weekday.judge(weekday)?));
        }
        Ok(self.day.judge(day)? && self.month.judge(month)? && self.weekday.judge(weekday)?)
    }

    /// The first minute of that day, at or after `from` (in minutes), that matches.
    pub(super) fn first_minute(&self, date: jiff::civil::Date, from: i64) -> Option<i64> {
        let wall = |minute: i64| Wall { date, time: minute * 60 * crate::date::SECOND };
        if !self.on_day(wall(0)).unwrap_or(false) {
            return None;
        }
        (from..24 * 60).find(|minute| self.matches(wall(*minute)).unwrap_or(false))
    }

    pub(super) fn never_matches(&self) -> bool {
        let empty = |field: Field| field.matches == 0;
        let no_day = if self.either_day {
            empty(self.day) && empty(self.weekday)
        } else {
            empty(self.day) || empty(self.weekday)
        };
        empty(self.minute) || empty(self.hour) || empty(self.month) || no_day
    }
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One field, judged for each value as the origin judges the value of the moment.
fn compat_field(text: &str, low: i64, high: i64) -> Field {
    let mut field = Field::default();
    for value in low..=high {
        match compat_matches(text, value, low, high) {
            Some(Ok(true)) => field.matches |= 1 << value,
            Some(Ok(false)) | None => {}
            Some(Err(_)) => field.raises |= 1 << value,
        }
    }
    field
}

/// `None` where the origin finds a part that is no number.
fn compat_matches(text: &str, value: i64, low: i64, high: i64) -> Option<Result<bool, Raised>> {
    if text == "*" {
        return Some(Ok(true));
    }
    if let Some((base, step)) = text.split_once('/') {
        let step = number(step)?;
        let start = if base == "*" {
            low
        } else {
            let (start, end) = compat_range(base, low, high)?;
            if !(start..=end).contains(&value) {
                return Some(Ok(false));
            }
            start
        };
        return Some((value - start).checked_rem(step).map(|rest| rest == 0).ok_or(Raised::StepOfZero));
    }
    let within = |part: &str| match part.contains('-') {
        true => compat_range(part, low, high).map(|(start, end)| (start..=end).contains(&value)),
        false => number(part).map(|number| number == value),
    };
    // Every part is read, also after one that matches.
    text.split(',').map(within).try_fold(false, |found, part| Some(found | part?)).map(Ok)
}

fn compat_range(text: &str, low: i64, high: i64) -> Option<(i64, i64)> {
    match text.split_once('-') {
        Some((start, end)) => Some((number(start)?.max(low), number(end)?.min(high))),
        None => number(text).map(|number| (number, number)),
    }
}

fn number(text: &str) -> Option<i64> {
    Int::from_python(text).map(|number| number.saturating())
}

/// Lists of `*`, values, ranges and names, each with a step; a single value with a step goes on to the end.
fn strict_field(text: &str, low: i64, high: i64, names: &[&str]) -> Option<Field> {
    // Sunday is written as 7 too, also at the end of a range.
    let highest = if high == 6 { 7 } else { high };
    let value = |text: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(place) => i64::try_from(place).ok()? + low,
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (low..=highest).contains(&number).then_some(number)
    };
    let mut field = Field::default();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (start, end) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((start, end)) => (value(start)?, value(end)?),
            None => (value(range)?, if step.is_some() { high } else { value(range)? }),
        };
        if start > end {
            return None;
        }
        (start..=end).step_by(step.unwrap_or(1)).for_each(|value| field.matches |= 1 << value);
    }
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(field: Field) -> Vec<u32> {
        (0..64).filter(|bit| field.matches >> bit & 1 == 1).collect()
    }

    #[test]
    fn the_origins_fields() {
        assert_eq!(matches(compat_field("*/15", 0, 59)), [0, 15, 30, 45]);
        assert_eq!(matches(compat_field("0-30/10", 0, 59)), [0, 10, 20, 30]);
        assert_eq!(matches(compat_field("5,10,20-22", 0, 59)), [5, 10, 20, 21, 22]);
        assert_eq!(matches(compat_field("5/15", 0, 59)), [5]);
        for none in ["61", "mon", "1,x", "5-1", "-5", "1,2/5", "*/5/2", "7-8"] {
            assert!(matches(compat_field(none, 0, 6)).is_empty(), "{none}");
        }
        assert_eq!(compat_field("*/0", 0, 6).raises, 0b111_1111);
        assert_eq!(compat_field("2-3/0", 0, 6).raises, 0b1100);
    }

    #[test]
    fn the_strict_fields() {
        let weekday = |text| strict_field(text, 0, 6, &WEEKDAYS).map(matches);
        assert_eq!(weekday("mon-fri"), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!(weekday("5-7"), Some(vec![5, 6, 7]));
        assert_eq!(weekday("1/2"), Some(vec![1, 3, 5]));
        for bad in ["8", "fri-mon", "*/0", "", "1,", "1-", "x"] {
            assert_eq!(weekday(bad), None, "{bad}");
        }
    }
}
