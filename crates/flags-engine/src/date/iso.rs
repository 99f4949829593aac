//! The origin's fallback: what `datetime.fromisoformat` of Python 3.11 reads. Calendar and week dates, basic
//! and extended; any character between date and time; fractions of any length; offsets to the microsecond.

use jiff::civil::{Date, ISOWeekDate, Weekday};

use super::{DateTime, SECOND};

pub(super) fn parse(text: &str) -> Option<DateTime> {
    // Parts are cut by characters: only the separator may be other than ASCII.
    let chars: Vec<char> = text.chars().collect();
    let date_length = date_length(&chars)?;
    let date = date(chars.get(..date_length)?)?;
    // A character after the date separates it from a time, which must then be there.
    let Some(rest) = chars.get(date_length + 1..) else { return DateTime::from_parts(date, 0, None) };
    let (time, offset) = time_and_offset(rest)?;
    DateTime::from_parts(date, time, offset)
}

/// Where the date ends: what stands there separates it from the time.
fn date_length(chars: &[char]) -> Option<usize> {
    let digit = |place: usize| chars.get(place).is_some_and(char::is_ascii_digit);
    match chars.len() {
        0..7 => return None,
        7 => return Some(7),
        _ => {}
    }
    Some(match (chars[4], chars[5]) {
        ('-', 'W') if chars.get(8) == Some(&'-') => match chars.len() {
            9 => return None,
            // A digit after what could be the weekday: it is a time after a week.
            _ if digit(10) => 8,
            _ => 10,
        },
        ('-', 'W') => 8,
        ('-', _) => 10,
        ('W', _) => match 7 + chars[7..].iter().take_while(|c| c.is_ascii_digit()).count() {
            end @ ..9 => end,
            end if end % 2 == 0 => 7,
            _ => 8,
        },
        _ => 8,
    })
}

fn date(chars: &[char]) -> Option<Date> {
    let year = number(chars.get(..4)?)?;
    let extended = chars.get(4) == Some(&'-');
    let start = 4 + usize::from(extended);
    let separated = |place: usize| (chars.get(place) == Some(&'-')) == extended;
    if chars.get(start) == Some(&'W') {
        let week = number(chars.get(start + 1..start + 3)?)?;
        let weekday = match chars.get(start + 3..) {
            None | Some([]) => 1,
            Some(_) if separated(start + 3) => number(chars.get(start + 3 + usize::from(extended)..)?)?,
            Some(_) => return None,
        };
        let weekday = Weekday::from_monday_one_offset(i8::try_from(weekday).ok()?).ok()?;
        return Some(
            ISOWeekDate::new(i16::try_from(year).ok()?, i8::try_from(week).ok()?, weekday).ok()?.date(),
        );
    }
    let month = number(chars.get(start..start + 2)?)?;
    if !separated(start + 2) {
        return None;
    }
    let day_at = start + 2 + usize::from(extended);
    let day = number(chars.get(day_at..day_at + 2)?)?;
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn time_and_offset(chars: &[char]) -> Option<(i64, Option<i64>)> {
    let sign_at = chars.iter().position(|c| *c == '-').or_else(|| chars.iter().position(|c| *c == '+'));
    let time = clock(&chars[..sign_at.unwrap_or(chars.len())], sign_at.is_some())?;
    let [hour, minute, second, _] = time;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let Some(sign_at) = sign_at else { return Some((micros(time), None)) };
    let offset = chars.get(sign_at + 1..)?;
    if matches!(offset.len(), 0 | 1 | 3) {
        return None;
    }
    let sign = if chars[sign_at] == '-' { -1 } else { 1 };
    Some((micros(time), Some(sign * micros(clock(offset, false)?))))
}

fn micros([hour, minute, second, micro]: [i64; 4]) -> i64 {
    (hour * 3_600 + minute * 60 + second) * SECOND + micro
}

/// `HH`, `HHMM`, `HH:MM` and so on, with a fraction after whichever is last.
///
/// Before an offset Python overlooks what is left: one character after a whole part, or anything after six
/// digits of a fraction. It reads a colon after the seconds as a point, and digits after basic seconds as a
/// fraction.
fn clock(chars: &[char], before_offset: bool) -> Option<[i64; 4]> {
    let mut parts = [0; 4];
    let (mut at, mut extended) = (0, false);
    for (place, part) in parts.iter_mut().take(3).enumerate() {
        *part = number(chars.get(at..at + 2)?)?;
        at += 2;
        let Some(next) = chars.get(at) else { return Some(parts) };
        if place == 0 {
            extended = *next == ':';
        }
        if chars.len() == at + 1 {
            return (before_offset && next.is_ascii()).then_some(parts);
        }
        match next {
            '.' | ',' => {
                at += 1;
                break;
            }
            ':' if extended => at += 1,
            _ if extended => return None,
            _ => {}
        }
    }
    let fraction = chars.get(at..)?;
    let (counted, rest) = fraction.split_at(fraction.len().min(6));
    if !before_offset && !rest.iter().all(char::is_ascii_digit) {
        return None;
    }
    parts[3] = number(counted)? * 10_i64.pow(u32::try_from(6 - counted.len()).ok()?);
    Some(parts)
}

/// ASCII digits alone.
fn number(chars: &[char]) -> Option<i64> {
    chars
        .iter()
        .try_fold(0_i64, |number, c| Some(number * 10 + i64::from(c.to_digit(10)?)))
        .filter(|_| !chars.is_empty())
}
