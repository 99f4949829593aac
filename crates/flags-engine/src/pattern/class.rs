//! Character classes.

use super::Refused;
use super::escape::{self, Escape};
use super::flags::Flags;

enum Item {
    Char(char),
    Category(&'static str),
}

/// Translates a class; `at` stands after the opening bracket, and then after the closing one.
pub(super) fn translate(
    chars: &[char],
    at: &mut usize,
    flags: Flags,
    out: &mut String,
) -> Result<(), Refused> {
    out.push('[');
    if chars.get(*at) == Some(&'^') {
        *at += 1;
        out.push('^');
    }
    let mut first = true;
    loop {
        if chars.get(*at) == Some(&']') && !first {
            break;
        }
        first = false;
        let low = item(chars, at, flags)?;
        let is_range = chars.get(*at) == Some(&'-') && chars.get(*at + 1) != Some(&']');
        if !is_range {
            push(&low, out);
            continue;
        }
        *at += 1;
        let (Item::Char(low), Item::Char(high)) = (low, item(chars, at, flags)?) else {
            return Err(Refused::Malformed("a range between what are no characters"));
        };
        if high < low {
            return Err(Refused::Malformed("a range that ends before it begins"));
        }
        literal(low, out);
        out.push('-');
        literal(high, out);
    }
    *at += 1;
    out.push(']');
    Ok(())
}

fn item(chars: &[char], at: &mut usize, flags: Flags) -> Result<Item, Refused> {
    let Some(c) = chars.get(*at).copied() else {
        return Err(Refused::Malformed("a class that does not end"));
    };
    *at += 1;
    if c != '\\' {
        return Ok(Item::Char(c));
    }
    match escape::read(chars, at, flags, true)? {
        Escape::Literal(c) => Ok(Item::Char(c)),
        Escape::Category(class) => Ok(Item::Category(class)),
        Escape::At(_) => Err(Refused::Malformed("a position in a class")),
    }
}

fn push(item: &Item, out: &mut String) {
    match item {
        Item::Char(c) => literal(*c, out),
        Item::Category(class) => out.push_str(class),
    }
}

/// A character that means itself, inside a class and outside.
pub(super) fn literal(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        out.push_str(&format!("\\x{{{:x}}}", u32::from(c)));
    }
}
