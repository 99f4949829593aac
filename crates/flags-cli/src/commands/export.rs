//! `flags export`.

use std::io::{BufWriter, Write as _};

use feature_flags::storage::Query;
use feature_flags::{Error, Kind, Record};
use serde::Serialize;

use super::orphans::Orphans;
use super::{Session, listing};
use crate::failure::{Exit, Failure};
use crate::output::Progress;

/// Writes the document that the library's export writes, one kind at a time: no more than the largest kind is in memory.
pub(super) async fn run(session: &Session) -> Result<Exit, Failure> {
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let (mut orphans, mut corrupt) = (Orphans::default(), Vec::new());
    let progress = Progress::counting("records exported");
    stdout.write_all(b"{\n  \"version\": 1")?;
    for kind in Kind::ALL {
        let mut records: Vec<Record> = Vec::new();
        let keep = |stored: feature_flags::storage::Stored| {
            if orphans.look(&stored.record) {
                records.push(stored.record);
            }
            Ok(())
        };
        let mut unread = Vec::new();
        let unreadable = |error: Error| unread.push(error);
        listing::each(session, Query::All(kind), &progress, keep, unreadable).await?;
        unread.iter().for_each(|error| orphans.unreadable(error));
        corrupt.append(&mut unread);
        records.sort_by_cached_key(Record::key);
        write!(stdout, ",\n  \"{kind}s\": [")?;
        let mut separator = "\n    ";
        for record in &records {
            write!(stdout, "{separator}{}", indented(record)?)?;
            separator = ",\n    ";
        }
        stdout.write_all(if records.is_empty() { b"]" } else { b"\n  ]" })?;
    }
    stdout.write_all(b"\n}\n")?;
    stdout.flush()?;
    drop(progress);
    let ownerless = orphans.found(session).await?;
    for key in &ownerless.keys {
        session.out.warning(&ownerless.why.about(key));
    }
    let exit = if corrupt.is_empty() { Exit::Ok } else { Exit::Failed };
    for error in corrupt {
        session.out.failure(&error.into());
    }
    Ok(exit)
}

/// A record as it is in a document. Its values keep their exact text: nothing inside them is indented.
fn indented(record: &Record) -> Result<String, Failure> {
    // Two lists deep, as in the document.
    fn nested<T: Serialize>(record: &T) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&[[record]])
    }
    let text = match record {
        Record::Flag(flag) => nested(&**flag),
        Record::Override(one) => nested(&**one),
        Record::ScheduledChange(change) => nested(&**change),
        Record::TimeSchedule(window) => nested(&**window),
        Record::RolloutPhase(phase) => nested(&**phase),
        Record::Segment(segment) => nested(&**segment),
        other => return Err(crate::store::unknown(&other.key()).into()),
    };
    let text = text.map_err(std::io::Error::from)?;
    let inner = text.strip_prefix("[\n  [\n    ").and_then(|rest| rest.strip_suffix("\n  ]\n]"));
    Ok(inner.unwrap_or(&text).to_owned())
}
