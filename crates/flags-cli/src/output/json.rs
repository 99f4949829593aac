//! Records for programs: the stored form, and the revision.

use feature_flags::storage::Stored;
use feature_flags::validate::RESERVED_MEMBER;
use feature_flags::{Json, Record};

use crate::failure::Failure;

/// The record's JSON with one more member, `revision`; values keep their exact text.
pub(super) fn record(stored: &Stored) -> Result<String, Failure> {
    let mut json = encode(&stored.record)?;
    // An override that had expired when it was written has none.
    let revision = stored.revision.as_str();
    if !revision.is_empty() && json.pop() == Some('}') {
        let revision = serde_json::Value::from(revision);
        json.push_str(&format!(",\"{RESERVED_MEMBER}\":{revision}}}"));
    }
    Ok(json)
}

/// The stored form.
pub(super) fn encode(record: &Record) -> Result<String, Failure> {
    let bytes = record.encode()?;
    String::from_utf8(bytes).map_err(|error| Failure::input(error.to_string(), "report this as a bug"))
}

/// A value on one line: its text, or its parts with spaces between them where that goes over several.
pub(crate) fn one_line(value: &Json) -> String {
    let text = value.text();
    if text.contains(['\n', '\r']) {
        indent(text).lines().map(str::trim_start).collect::<Vec<_>>().join(" ")
    } else {
        text.to_owned()
    }
}

/// Valid JSON with a member a line; the text of every scalar stays as it is.
pub(super) fn indent(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for c in json.chars() {
        if in_string {
            text.push(c);
            in_string = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
            continue;
        }
        let just_opened = text.ends_with(['{', '[']);
        match c {
            ' ' | '\t' | '\n' | '\r' => continue,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !just_opened {
                    new_line(&mut text, depth);
                }
            }
            _ if just_opened => {
                new_line(&mut text, depth);
            }
            _ => {}
        }
        text.push(c);
        match c {
            '{' | '[' => depth += 1,
            ',' => new_line(&mut text, depth),
            ':' => text.push(' '),
            _ => in_string = c == '"',
        }
    }
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::{indent, one_line};

    #[test]
    fn indenting_changes_white_space_alone() {
        let json = r#"{"a":[],"b":{},"c":[1,{"d{[,:\"\\":1e400}], "e" : "x{ " }"#;
        let want = r#"{
  "a": [],
  "b": {},
  "c": [
    1,
    {
      "d{[,:\"\\": 1e400
    }
  ],
  "e": "x{ "
}"#;
        assert_eq!(indent(json), want);
    }

    #[test]
    fn a_value_of_several_lines_becomes_one() -> Result<(), feature_flags::json::InvalidJson> {
        assert_eq!(one_line(&"[1,  2]".parse()?), "[1,  2]");
        assert_eq!(one_line(&"{\"a\":\r\n\t[1,\n2]}".parse()?), r#"{ "a": [ 1, 2 ] }"#);
        Ok(())
    }

    #[test]
    fn a_string_that_ends_in_a_bracket_opens_nothing() {
        assert_eq!(indent(r#"["[","{"]"#), "[\n  \"[\",\n  \"{\"\n]");
    }
}
