//! Patterns of conditions: Python's syntax, compiled to a matcher that is linear in the text.
//!
//! A pattern is anchored at its start, as Python's `re.match` is, and need not reach the end. It is taken
//! apart and written anew, so that nothing means one thing there and another here. What cannot be translated
//! (look-around, back-references, possessive quantifiers, a `$` before the end) never matches, and is
//! reported.

mod class;
mod escape;
mod flags;
mod shared;
mod translate;

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use crate::raised::Raised;

/// Why a pattern matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the pattern is malformed: {0}")]
    Malformed(&'static str),
    #[error("the pattern cannot be matched in linear time, or not as Python does: {0}")]
    Unsupported(&'static str),
    #[error("the pattern is too large: {0}")]
    TooLarge(String),
    /// Python raises here what it does not catch.
    #[error(transparent)]
    Raises(Raised),
}

/// How many bytes a compiled pattern may take. A `\w`, with the letters of every script, takes some 40 KB,
/// and patterns for e-mail addresses and host names count it up to 64 or 255 times.
const MAX_SIZE: usize = 32 << 20;

/// How many characters what is counted may come to. Each is a place at which a match may stand, and every
/// character of a text looks at all of those: a pattern of twenty letters, `(?:[ab]{1,1000}){1,200}`, would
/// take seconds for a line.
const MAX_COUNTED: u64 = 5_000;

/// How deeply groups may nest.
const MAX_DEPTH: usize = 100;

/// The pattern, compiled; the very same as before, where it is in use already.
pub(crate) fn compile(pattern: &str) -> Result<Arc<Regex>, Refused> {
    match shared::known(pattern) {
        Some(regex) => Ok(regex),
        None => compile_anew(pattern).map(|regex| shared::share(pattern, regex)),
    }
}

fn compile_anew(pattern: &str) -> Result<Regex, Refused> {
    let translated = translate::translate(pattern)?;
    RegexBuilder::new(&translated).size_limit(MAX_SIZE).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Refused::TooLarge(error.to_string()),
        _ => Refused::Unsupported("it has a meaning to Python alone"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern).is_ok_and(|regex| regex.is_match(text))
    }

    #[test]
    fn plain_patterns_are_anchored_at_the_start_only() {
        assert!(matches("ann", "anna"));
        assert!(!matches("nn", "anna"));
        assert!(!matches("a|b", "cb"));
        assert!(matches(r".*@example\.com$", "ann@example.com"));
    }

    #[test]
    fn what_is_counted_is_large() {
        assert!(matches(r"^[\w.]{1,64}@[\w.]{1,255}$", "ann@example.com"));
        assert!(matches(r"^(?:\w{1,63}\.){1,8}\w{2,63}$", "www.example.com"));
        assert!(matches("(?s).{1,4096}$", "a"));
        for large in
            [r"(?:\w{1,1000}){1,1000}", "(?:[ab]{1,1000}){1,200}", "(?:(?:a{9}){9}){99}", "a{2500,}b{2501}"]
        {
            assert!(matches!(compile(large), Err(Refused::TooLarge(_))), "{large}");
        }
        assert!(matches!(compile("(?:a{9999}){9}a{4294967295}"), Err(Refused::Raises(_))), "as Python");
    }

    #[test]
    fn a_dollar_takes_a_final_newline() {
        assert!(matches("(?:a$|b)", "a\n"));
        assert!(!matches("a$", "a\nb"));
        assert!(matches("(?m)a$", "a\nb"));
        assert!(!matches(r"a\Z", "a\n"));
        assert_eq!(compile("a$b").unwrap_err(), Refused::Unsupported("a `$` with something after it"));
    }

    #[test]
    fn classes_are_taken_literally() {
        assert!(matches("[a&&b]", "&"));
        assert!(matches("[[]", "["));
        assert!(matches("[]a]", "]"));
        assert!(matches("[^]a]", "b"));
        assert!(matches("[a-]", "-"));
        assert!(matches(r"[\w.-]+$", "x.y-z"));
        for bad in ["[a", "[z-a]", r"[\w-a]", "[]"] {
            assert!(matches!(compile(bad), Err(Refused::Malformed(_))), "{bad}");
        }
    }

    #[test]
    fn braces_that_are_no_quantifier_are_text() {
        assert!(matches("a{,2}b", "aab"));
        assert!(!matches("a{,2}$", "aaa"));
        assert!(matches("{x}", "{x}"));
        assert!(matches("a{1", "a{1"));
        assert!(matches("a{}", "a{}"));
        assert_eq!(compile("a{4294967295}").unwrap_err(), Refused::Raises(Raised::RepetitionTooLarge));
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for bad in [
            "(",
            ")",
            "*",
            "a**",
            "^*",
            "a{2,1}",
            r"\y",
            r"\p{L}",
            "a(?i)b",
            "(?<n>a)",
            "(?P<1>a)",
            "(?P<n>a)(?P<n>b)",
            "(?au:a)",
            "(?i-i:a)",
            "(?i-:a)",
            "(?i",
        ] {
            assert!(matches!(compile(bad), Err(Refused::Malformed(_))), "{bad}");
        }
        for bad in ["(?=a)", "(?<!a)b", r"(a)\1", "a*+", "(?>a)", "(?P<n>a)(?P=n)", r"(?:a$|\n){2}"] {
            assert!(matches!(compile(bad), Err(Refused::Unsupported(_))), "{bad}");
        }
    }

    #[test]
    fn flags_hold_where_python_says() {
        assert!(matches("(?i)ANN", "ann"));
        assert!(matches("(?#first)(?i)ANN", "ann"));
        assert!(matches("(?ii:A)b(?-i:c)", "abc"));
        assert_eq!(compile("(?a)(?u)a").unwrap_err(), Refused::Raises(Raised::FlagsContradict));
        assert!(matches("(?i:A)b", "ab"));
        assert!(!matches("(?i:A)b", "aB"));
        assert!(matches("(?x) a  b # both", "ab"));
        assert!(matches("(?s)a.b", "a\nb"));
        assert!(!matches("a.b", "a\nb"));
        assert!(!matches(r"(?a)\d", "٣"));
        assert!(matches(r"\d", "٣"));
    }
}
