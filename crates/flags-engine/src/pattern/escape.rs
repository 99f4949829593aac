//! What follows a backslash.

use super::Refused;
use super::flags::Flags;

/// An escape, inside or outside a class.
pub(super) enum Escape {
    Literal(char),
    /// A class, written so that it can stand inside another.
    Category(&'static str),
    /// A position.
    At(&'static str),
}

/// Reads an escape; `at` stands after the backslash.
pub(super) fn read(chars: &[char], at: &mut usize, flags: Flags, in_class: bool) -> Result<Escape, Refused> {
    let Some(c) = chars.get(*at).copied() else {
        return Err(Refused::Malformed("a backslash at the end"));
    };
    *at += 1;
    Ok(match c {
        'a' => Escape::Literal('\u{7}'),
        'f' => Escape::Literal('\u{c}'),
        'n' => Escape::Literal('\n'),
        'r' => Escape::Literal('\r'),
        't' => Escape::Literal('\t'),
        'v' => Escape::Literal('\u{b}'),
        'b' if in_class => Escape::Literal('\u{8}'),
        'A' if !in_class => Escape::At(r"\A"),
        'Z' if !in_class => Escape::At(r"\z"),
        'b' => Escape::At(if flags.ascii { r"(?-u:\b)" } else { r"\b" }),
        'B' if !in_class && !flags.ascii => Escape::At(r"\B"),
        'B' if !in_class => return Err(Refused::Unsupported(r"`\B` with the flag `a`")),
        'd' | 'D' | 's' | 'S' | 'w' | 'W' => Escape::Category(category(c, flags.ascii)),
        'x' => Escape::Literal(code(chars, at, 2)?),
        'u' => Escape::Literal(code(chars, at, 4)?),
        'U' => Escape::Literal(code(chars, at, 8)?),
        'N' => return Err(Refused::Unsupported("a character by its name")),
        '0'..='9' => Escape::Literal(octal(chars, at, c, in_class)?),
        c if c.is_ascii_alphabetic() => return Err(Refused::Malformed("an unknown escape")),
        c => Escape::Literal(c),
    })
}

/// As Python sees them: marks are no word characters, numbers of every kind are, and four separators are
/// space.
fn category(letter: char, ascii: bool) -> &'static str {
    match (letter, ascii) {
        ('d', false) => r"\p{Nd}",
        ('D', false) => r"\P{Nd}",
        ('s', false) => r"[\s\x1c-\x1f]",
        ('S', false) => r"[^\s\x1c-\x1f]",
        ('w', false) => r"[\p{L}\p{N}_]",
        ('W', false) => r"[^\p{L}\p{N}_]",
        ('d', true) => "[0-9]",
        ('D', true) => "[^0-9]",
        ('s', true) => r"[\t-\r ]",
        ('S', true) => r"[^\t-\r ]",
        ('w', true) => "[0-9A-Za-z_]",
        _ => "[^0-9A-Za-z_]",
    }
}

fn code(chars: &[char], at: &mut usize, digits: usize) -> Result<char, Refused> {
    let hex: String = chars.iter().skip(*at).take(digits).take_while(|c| c.is_ascii_hexdigit()).collect();
    if hex.len() != digits {
        return Err(Refused::Malformed("an incomplete escape"));
    }
    *at += digits;
    let code = u32::from_str_radix(&hex, 16).map_err(|_| Refused::Malformed("an incomplete escape"))?;
    char::from_u32(code).ok_or(Refused::Unsupported("an escape that is no Unicode character"))
}

fn octal(chars: &[char], at: &mut usize, first: char, in_class: bool) -> Result<char, Refused> {
    let digit = |place: usize| chars.get(place).and_then(|c| c.to_digit(8));
    let first_digit = first.to_digit(8);
    let mut value = first_digit.unwrap_or(0);
    let two_more = digit(*at).is_some() && digit(*at + 1).is_some();
    if first != '0' && !(first_digit.is_some() && (two_more || in_class)) {
        return Err(if in_class {
            Refused::Malformed("an unknown escape")
        } else {
            Refused::Unsupported("a back-reference")
        });
    }
    for _ in 0..2 {
        let Some(next) = digit(*at) else { break };
        value = value * 8 + next;
        *at += 1;
    }
    char::from_u32(value).filter(|_| value <= 0o377).ok_or(Refused::Malformed("an octal escape is too large"))
}
