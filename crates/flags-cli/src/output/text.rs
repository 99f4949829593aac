//! Text that a terminal can be trusted with.

use feature_flags::Timestamp;

/// One value on one line: what would end the line, command the terminal or turn the order of the text around
/// is escaped.
///
/// A name may hold any character, so every value passes here where it becomes text: before lines are put
/// together, since afterwards nobody can tell our line feed from the one in a name.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_format(c) {
            clean.extend(c.escape_debug());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Line and paragraph separators, and the marks, embeddings, overrides and isolates of bidirectional text.
fn is_format(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `1 flag`, `2 flags`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// An instant to the second, in UTC: `2026-03-01 09:30:00`.
pub(crate) fn second(at: Timestamp) -> String {
    let text = at.to_string();
    let until = text.find(['.', '+', 'Z']).unwrap_or(text.len());
    text[..until].replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::{clean, second};

    #[test]
    fn an_instant_is_told_to_the_second() -> Result<(), Box<dyn std::error::Error>> {
        for instant in ["2026-03-01T09:30:00Z", "2026-03-01T10:30:00.250000+01:00"] {
            assert_eq!(second(instant.parse()?), "2026-03-01 09:30:00");
        }
        Ok(())
    }

    #[test]
    fn what_commands_a_terminal_or_ends_a_line_is_escaped() {
        assert_eq!(clean("a\u{1b}[2Jb\tc\nd\r\u{85} é"), "a\\u{1b}[2Jb\\tc\\nd\\r\\u{85} é");
        for mark in "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}".chars() {
            assert_eq!(clean(&mark.to_string()), format!("\\u{{{:x}}}", u32::from(mark)));
        }
        // Writing systems and emoji need the joiners.
        assert_eq!(clean("שלום \u{1f468}\u{200d}\u{1f373}"), "שלום \u{1f468}\u{200d}\u{1f373}");
    }

    #[test]
    fn cleaning_twice_changes_nothing() {
        let once = clean("a\\\n\u{202e}b");
        assert_eq!(clean(&once), once);
    }
}
