//! Values as text: Python's `str()`, and JSON.

use std::borrow::Cow;
use std::fmt::{self, Write};

use flags_core::Timestamp;

use super::View;

/// Python's `str(value)`.
pub(crate) fn display(view: View<'_>) -> Cow<'_, str> {
    match view {
        View::Str(text) => Cow::Borrowed(text),
        other => {
            let mut text = String::new();
            // Writing to a string does not fail.
            let _ = repr(other, &mut text);
            Cow::Owned(text)
        }
    }
}

/// The characters that Python strips and splits at.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// Python's `repr(value)`, of an instant its `str()`.
fn repr(view: View<'_>, out: &mut impl Write) -> fmt::Result {
    match view {
        View::Null => out.write_str("None"),
        View::Bool(true) => out.write_str("True"),
        View::Bool(false) => out.write_str("False"),
        View::Small(value) => write!(out, "{value}"),
        View::Big(digits) => out.write_str(digits),
        View::Float(value) => float(value, out),
        View::Str(text) => quoted(text, out),
        View::List(items) => {
            out.write_char('[')?;
            for (place, item) in items.iter().enumerate() {
                out.write_str(if place > 0 { ", " } else { "" })?;
                repr(item.view(), out)?;
            }
            out.write_char(']')
        }
        View::Object(object) => {
            out.write_char('{')?;
            for (place, (name, value)) in object.iter().enumerate() {
                out.write_str(if place > 0 { ", " } else { "" })?;
                quoted(name, out)?;
                out.write_str(": ")?;
                repr(value.view(), out)?;
            }
            out.write_char('}')
        }
        View::Instant(instant) => out.write_str(&instant_text(instant)),
    }
}

fn instant_text(instant: Timestamp) -> String {
    instant.to_string().replacen('T', " ", 1)
}

/// The shortest digits that read back, with an exponent from 1e16 on and below 1e-4.
fn float(value: f64, out: &mut impl Write) -> fmt::Result {
    if value.is_nan() {
        return out.write_str("nan");
    }
    if value.is_infinite() {
        return out.write_str(if value > 0.0 { "inf" } else { "-inf" });
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || value == 0.0 {
        let plain = format!("{value}");
        write!(out, "{plain}{}", if plain.contains('.') { "" } else { ".0" })
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.unsigned_abs())
    }
}

/// A string in Python's quotes. What Python holds unprintable is known for Latin-1 and the usual
/// invisible characters; the rest is a documented deviation.
fn quoted(text: &str, out: &mut impl Write) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            c if c == quote => write!(out, "\\{c}")?,
            c if c == ' ' || !invisible(c) => out.write_char(c)?,
            c => match u32::from(c) {
                code @ 0..=0xff => write!(out, "\\x{code:02x}")?,
                code @ 0x100..=0xffff => write!(out, "\\u{code:04x}")?,
                code => write!(out, "\\U{code:08x}")?,
            },
        }
    }
    out.write_char(quote)
}

fn invisible(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}')
}

/// As JSON.
pub(super) fn json(view: View<'_>, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match view {
        View::Null => out.write_str("null"),
        View::Bool(value) => write!(out, "{value}"),
        View::Small(value) => write!(out, "{value}"),
        View::Big(digits) => out.write_str(digits),
        View::Float(value) if value.is_nan() => out.write_str("null"),
        View::Float(value) if value.is_infinite() => {
            out.write_str(if value > 0.0 { "1e400" } else { "-1e400" })
        }
        View::Float(value) => float(value, out),
        View::Str(text) => json_string(text, out),
        View::List(items) => {
            out.write_char('[')?;
            for (place, item) in items.iter().enumerate() {
                out.write_str(if place > 0 { "," } else { "" })?;
                json(item.view(), out)?;
            }
            out.write_char(']')
        }
        View::Object(object) => {
            out.write_char('{')?;
            for (place, (name, value)) in object.iter().enumerate() {
                out.write_str(if place > 0 { "," } else { "" })?;
                json_string(name, out)?;
                out.write_char(':')?;
                json(value.view(), out)?;
            }
            out.write_char('}')
        }
        View::Instant(instant) => write!(out, "\"{instant}\""),
    }
}

fn json_string(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    out.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    #[test]
    fn text_as_python_writes_it() {
        for (json, want) in [
            ("null", "None"),
            ("[true, 1, 1.0, -0.0]", "[True, 1, 1.0, -0.0]"),
            (
                "[1e15, 1e16, 1.5e300, 0.0001, 0.00001, 1e400]",
                "[1000000000000000.0, 1e+16, 1.5e+300, 0.0001, 1e-05, inf]",
            ),
            (
                r#"{"a": "it's", "b": "\"'", "c": "\u0001é\n"}"#,
                r#"{'a': "it's", 'b': '"\'', 'c': '\x01é\n'}"#,
            ),
            ("1180591620717411303424", "1180591620717411303424"),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(display(value.view()), want);
        }
        assert_eq!(display(View::Float(f64::NAN)), "nan");
        assert_eq!(display(Value::from(u64::MAX).view()), "18446744073709551615");
        assert_eq!(Value::from(7_u64), Value::from(7_u32));
        assert_eq!(display(View::Instant(Timestamp::UNIX_EPOCH)), "1970-01-01 00:00:00+00:00");
    }
}
