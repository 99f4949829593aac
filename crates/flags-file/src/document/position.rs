//! Where in a text something is wrong.

use std::fmt;

/// A place in a text, as editors count: both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    /// The place so many bytes into the text.
    pub(crate) fn at(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, |line| line.chars().count()) + 1,
        }
    }

    /// The place at which a slice of the text begins.
    pub(crate) fn of(text: &str, slice: &str) -> Self {
        let offset = (slice.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Self::at(text, offset)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A text that is no document of flags, and where it ceases to be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {what}")]
pub(crate) struct Broken {
    pub(crate) position: Position,
    pub(crate) what: String,
}

impl Broken {
    pub(crate) fn new(position: Position, what: impl Into<String>) -> Self {
        Self { position, what: what.into() }
    }

    /// What the JSON parser says of the text.
    pub(crate) fn json(text: &str, error: &serde_json::Error) -> Self {
        let what = without_place(error);
        // The parser counts bytes, people count characters.
        let lines: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let mut offset = (lines + error.column().saturating_sub(1)).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        Self::new(Position::at(text, offset), what)
    }
}

/// What the JSON parser says without where, which it says of another text than the file.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let said = error.to_string();
    said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        let text = "{\n  \"ü\": x";
        assert_eq!(Position::at(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(text, &text[text.len() - 1..]), Position { line: 2, column: 8 });
    }

    #[test]
    fn an_error_of_the_parser_is_placed_by_characters() {
        let text = "[\n \"ü\",\n  \"ü\" tru]";
        let error = serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap_err();
        let broken = Broken::json(text, &error);
        assert_eq!(broken.position, Position { line: 3, column: 7 }, "{broken}");
        assert!(!broken.to_string().contains("at line"), "{broken}");
    }
}
