//! Text that a terminal can be trusted with.

/// With control characters escaped: a name may hold any, and must not command the terminal.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            clean.extend(c.escape_debug());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// `1 flag`, `2 flags`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(super::clean("a\u{1b}[2Jb\tc\nd é"), "a\\u{1b}[2Jb\\tc\nd é");
    }
}
