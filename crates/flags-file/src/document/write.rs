//! Writing a document from the texts of its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use flags_core::transfer::Document;
use flags_core::{Error, ErrorKind, Key, Record, Result};

use super::LISTS;

/// The text of a record as it stands in the file: a line for each member, indented.
///
/// # Errors
///
/// `Invalid` when an unknown member bears the name of a known one.
pub(crate) fn record_text(record: &Record) -> Result<String> {
    // As deep as it stands in the document: an exact value may span lines, which are not to be indented
    // again.
    let nested = serde_json::to_string_pretty(&[[record]]).map_err(|source| {
        Error::new(ErrorKind::Invalid, "the record has no JSON form; see the cause")
            .with_key(record.key())
            .with_source(source)
    })?;
    let text = nested.strip_prefix("[\n  [\n    ").and_then(|text| text.strip_suffix("\n  ]\n]"));
    Ok(text.unwrap_or(&nested).to_owned())
}

/// The document that holds records of these texts, which come in the order of their keys.
pub(crate) fn render<'a>(
    texts: impl Iterator<Item = (&'a Key, &'a Arc<str>)>,
    extra: &BTreeMap<String, Arc<str>>,
    size: usize,
) -> String {
    let mut out = String::with_capacity(size + 1024);
    out.push_str(&format!("{{\n  \"version\": {}", Document::VERSION));
    let mut texts = texts.peekable();
    for (kind, list) in LISTS {
        out.push_str(&format!(",\n  \"{list}\": ["));
        let mut separator = "\n    ";
        while let Some((_, text)) = texts.next_if(|(key, _)| key.kind() == kind) {
            out.push_str(separator);
            out.push_str(text);
            separator = ",\n    ";
        }
        out.push_str(if separator == "\n    " { "]" } else { "\n  ]" });
    }
    for (name, text) in extra {
        out.push_str(&format!(",\n  {}: {text}", serde_json::Value::from(name.as_str())));
    }
    out.push_str("\n}\n");
    out
}

#[cfg(test)]
mod tests {
    use flags_core::{EntityId, EntityType, Flag, FlagKey, Override, Segment, SegmentName};

    use super::*;

    #[test]
    fn it_is_the_export_document() {
        let mut flag = Flag::new(FlagKey::new("a").expect("a key"));
        flag.metadata = "{ \"spans\":\n [1,\n  2] }".parse().expect("JSON");
        let user = (EntityType::new("user").expect("a type"), EntityId::new("1").expect("an id"));
        let over = Override::new(flag.id, user.0, user.1, true);
        let segment = Segment::new(SegmentName::new("s").expect("a name"));
        let records: Vec<Record> = vec![flag.into(), over.into(), segment.into()];
        for records in [&records[..], &[]] {
            let mut document = Document::default();
            document.extra.insert("ours \"own\"", "[1,  2]".parse().expect("JSON"));
            let mut texts: BTreeMap<Key, Arc<str>> = BTreeMap::new();
            for record in records {
                document.push(record.clone());
                texts.insert(record.key(), record_text(record).expect("text").into());
            }
            let extra = BTreeMap::from([("ours \"own\"".to_owned(), Arc::from("[1,  2]"))]);
            assert_eq!(render(texts.iter(), &extra, 0), document.to_json().expect("a document"));
        }
    }
}
