//! What `serde_json` does not check in text that it passes through unparsed.

/// Why a syntactically valid JSON text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// A `\ud8xx` escape without its other half: no Unicode text, and unreadable to most parsers.
    #[error("a lone surrogate escape is not Unicode text")]
    LoneSurrogate,
}

/// How deeply the arrays and objects of a valid JSON text nest: 0 for a scalar, 1 for `[]`.
#[must_use]
pub fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}

/// Finds escapes that are no Unicode text in a valid JSON text.
///
/// Outside a string a valid text holds no backslash, so escapes are all there is to look at.
pub(super) fn check(json: &str) -> Result<(), Flaw> {
    let mut rest = json;
    let mut awaiting_low = false;
    while let Some(at) = rest.find('\\') {
        if awaiting_low && at != 0 {
            return Err(Flaw::LoneSurrogate);
        }
        let escape = &rest[at + 1..];
        let unit = escape.strip_prefix('u').and_then(|hex| u16::from_str_radix(hex.get(..4)?, 16).ok());
        match (awaiting_low, unit) {
            (false, Some(0xD800..=0xDBFF)) => awaiting_low = true,
            (true, Some(0xDC00..=0xDFFF)) => awaiting_low = false,
            (true, _) | (false, Some(0xDC00..=0xDFFF)) => return Err(Flaw::LoneSurrogate),
            (false, _) => {}
        }
        rest = escape.get(if unit.is_some() { 5 } else { 1 }..).unwrap_or_default();
    }
    if awaiting_low { Err(Flaw::LoneSurrogate) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_ignores_brackets_inside_strings() {
        assert_eq!(depth("3"), 0);
        assert_eq!(depth("[]"), 1);
        assert_eq!(depth(r#"{"a[[[\"[[": [{"b": "]]\\"}, []]}"#), 3);
    }

    #[test]
    fn surrogates_must_come_in_pairs() {
        for good in
            [r#""\ud83c\udf89""#, r#""\\ud83c""#, r#""\u00e9\n\"\uD83C\uDF89x""#, r#"["\\\\","\u0041"]"#]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            r#""\ud83c""#,
            r#""\udf89\ud83c""#,
            r#""\ud83cx\udf89""#,
            r#""\ud83c\n""#,
            r#"["\ud83c","\udf89"]"#,
        ] {
            assert_eq!(check(bad), Err(Flaw::LoneSurrogate), "{bad}");
        }
    }
}
