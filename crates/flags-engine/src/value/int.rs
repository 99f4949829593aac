//! Integers of any size.
//!
//! Beyond 64 bits an integer is its canonical decimal digits: comparing is all that is ever done with
//! one, and digits compare without an arithmetic library.

use std::cmp::Ordering;

/// An integer of any size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Int {
    Small(i64),
    /// Beyond 64 bits: an optional minus and digits, the first not zero.
    Big(Box<str>),
}

/// Python reads no integer of more digits from text.
const MAX_DIGITS: usize = 4300;

impl Int {
    /// Reads the integers of JSON: an optional minus and canonical digits.
    pub(crate) fn from_json(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Big(text.into()), Self::Small)
    }

    /// Reads what Python's `int()` reads: white space around, a sign, leading zeros, single underscores
    /// between digits. (Digits of other scripts are not read: a documented deviation.)
    pub(crate) fn from_python(text: &str) -> Option<Self> {
        // Python strips the separators of ASCII only where the text is not all ASCII.
        let ascii = text.is_ascii();
        let text = text.trim_matches(|c| super::is_space(c) && !(ascii && matches!(c, '\u{1c}'..='\u{1f}')));
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mut small, mut count, mut after_digit) = (Some(0_i64), 0, false);
        for byte in digits.bytes() {
            match byte {
                b'0'..=b'9' => {
                    let digit = i64::from(byte - b'0');
                    let signed = if negative { -digit } else { digit };
                    small = small.and_then(|n| n.checked_mul(10)?.checked_add(signed));
                    count += 1;
                    after_digit = true;
                }
                b'_' if after_digit => after_digit = false,
                _ => return None,
            }
        }
        if !after_digit || count > MAX_DIGITS {
            return None;
        }
        Some(match small {
            Some(small) => Self::Small(small),
            None => {
                let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
                let sign = if negative { "-" } else { "" };
                Self::Big(format!("{sign}{}", digits.trim_start_matches('0')).into())
            }
        })
    }

    /// Clamped to 64 bits.
    pub(crate) fn saturating(&self) -> i64 {
        match self {
            Self::Small(value) => *value,
            Self::Big(digits) if digits.starts_with('-') => i64::MIN,
            Self::Big(_) => i64::MAX,
        }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Small(a), Self::Small(b)) => a.cmp(b),
            (Self::Big(a), Self::Big(b)) => compare_digits(a, b),
            (Self::Small(_), Self::Big(b)) => sign(b).reverse(),
            (Self::Big(a), Self::Small(_)) => sign(a),
        }
    }
}

/// How a number beyond 64 bits compares with every one within.
pub(super) fn sign(digits: &str) -> Ordering {
    if digits.starts_with('-') { Ordering::Less } else { Ordering::Greater }
}

/// Two numbers in canonical digits.
pub(super) fn compare_digits(a: &str, b: &str) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (None, None) => (a.len(), a).cmp(&(b.len(), b)),
        (Some(a), Some(b)) => (b.len(), b).cmp(&(a.len(), a)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

/// Exact, where a conversion to floating point would round.
pub(super) fn compare_small_float(int: i64, float: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() {
        return None;
    }
    if float >= LIMIT {
        return Some(Ordering::Less);
    }
    if float < -LIMIT {
        return Some(Ordering::Greater);
    }
    let whole = float.trunc();
    #[allow(clippy::cast_possible_truncation, reason = "whole, and within the range just checked")]
    let by_whole = int.cmp(&(whole as i64));
    Some(by_whole.then_with(|| 0.0_f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal)))
}

/// Exact: a float prints all its digits.
pub(super) fn compare_big_float(digits: &str, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        None
    } else if float.is_infinite() {
        Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater })
    } else {
        Some(match Int::from_json(&format!("{float:.0}")) {
            Int::Small(_) => sign(digits),
            Int::Big(of_float) => compare_digits(digits, &of_float),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_reads() {
        for (text, want) in
            [("7", 7), (" +07\n", 7), ("-1_000", -1000), ("0", 0), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(Int::from_python(text), Some(Int::Small(want)), "{text}");
        }
        assert_eq!(Int::from_python("\u{a0}\u{1f}7"), Some(Int::Small(7)));
        for text in ["", "-", "\u{1f}7", "1__0", "_1", "1_", "1.0", "0x1", "1 2", "٣", &"1".repeat(4301)] {
            assert_eq!(Int::from_python(text), None, "{text}");
        }
        assert_eq!(
            Int::from_python("-0009223372036854775809"),
            Some(Int::Big("-9223372036854775809".into()))
        );
    }

    #[test]
    fn compares_exactly() {
        assert_eq!(compare_small_float((1 << 53) + 1, 9_007_199_254_740_992.0), Some(Ordering::Greater));
        assert_eq!(compare_small_float(-3, -3.5), Some(Ordering::Greater));
        assert_eq!(compare_small_float(i64::MAX, 9_223_372_036_854_775_808.0), Some(Ordering::Less));
        assert_eq!(
            compare_big_float("1180591620717411303424", 1_180_591_620_717_411_303_424.0),
            Some(Ordering::Equal)
        );
        assert_eq!(
            compare_big_float("1180591620717411303425", 1_180_591_620_717_411_303_424.0),
            Some(Ordering::Greater)
        );
        assert_eq!(compare_digits("-99", "-100"), Ordering::Greater);
        assert!(Int::from_json("-9223372036854775809") < Int::Small(i64::MIN));
    }
}
