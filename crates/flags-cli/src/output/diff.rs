//! What a write changes, line by line.

use console::Style;
use feature_flags::Record;
use similar::{ChangeTag, TextDiff};

use super::{clean, json};
use crate::failure::Failure;

/// The lines that differ between two records, with those around them; coloured where that stream is a
/// terminal.
pub(crate) fn diff(
    before: Option<&Record>,
    after: Option<&Record>,
    on_stderr: bool,
) -> Result<String, Failure> {
    let (before, after) = (lines(before)?, lines(after)?);
    let diff = TextDiff::from_lines(&before, &after);
    let mut text = String::new();
    for (index, group) in diff.grouped_ops(2).iter().enumerate() {
        if index > 0 {
            text.push_str("  ...\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, style) = match change.tag() {
                ChangeTag::Equal => (' ', Style::new()),
                ChangeTag::Delete => ('-', Style::new().red()),
                ChangeTag::Insert => ('+', Style::new().green()),
            };
            let style = if on_stderr { style.for_stderr() } else { style };
            let line = format!("{sign} {}", clean(change.value().trim_end_matches('\n')));
            text.push_str(&format!("{}\n", style.apply_to(line)));
        }
    }
    Ok(text)
}

/// A record as indented JSON, so that each member is a line.
fn lines(record: Option<&Record>) -> Result<String, Failure> {
    let Some(record) = record else { return Ok(String::new()) };
    Ok(json::indent(&json::encode(record)?))
}
