//! `flags export`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use feature_flags::storage::Query;
use feature_flags::{Error, Kind, Record};
use serde::Serialize;

use super::orphans::Orphans;
use super::{Session, listing};
use crate::args::Export;
use crate::failure::{Exit, Failure};
use crate::output::{Progress, Sink, count, followed};

pub(super) async fn run(session: &Session, export: &Export) -> Result<Exit, Failure> {
    let (mut sink, path) = match &export.output {
        Some(path) if path != Path::new("-") => {
            refuse_store(session, path).await?;
            (Sink::file(path).map_err(|error| unwritten(Some(path), error))?, Some(path))
        }
        _ => (Sink::stdout(), None),
    };
    let (mut orphans, mut corrupt) = (Orphans::default(), Vec::new());
    let failed = |error: io::Error| unwritten(path.map(PathBuf::as_path), error);
    let number = document(session, &mut sink, &failed, &mut orphans, &mut corrupt).await?;
    sink.finish().map_err(failed)?;
    if let Some(path) = path {
        session.out.note(&format!("exported {} to {}", count(number, "record"), path.display()));
    }
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

/// What keeps the document from being written there; `None` is standard output.
fn unwritten(path: Option<&Path>, error: io::Error) -> Failure {
    let Some(path) = path.filter(|_| error.kind() != io::ErrorKind::BrokenPipe) else { return error.into() };
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "it is as it was; make room there, or name a file on another disk"
        }
        _ => "it is as it was; name a file in a directory that exists and that you may write to",
    };
    Failure::input(format!("{} cannot be written: {error}", path.display()), hint)
}

/// Refuses the file that holds the store: it is a document, but the order of its lines and what
/// others add to it are its own.
async fn refuse_store(session: &Session, path: &Path) -> Result<(), Failure> {
    if session.store.storage().descriptor().name() != "file" {
        return Ok(());
    }
    let health = session.store.health_check().await?;
    let store = health.facts.iter().find(|fact| fact.name == "path").map(|fact| Path::new(&fact.value));
    if store.is_some_and(|store| is_same_file(store, path)) {
        return Err(Failure::usage(
            format!("{} is the store itself", path.display()),
            "name another file, such as backup.json",
        ));
    }
    Ok(())
}

/// Whether both lead to one file, which need not exist.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let (one, other) = (&*followed(one), &*followed(other));
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (one.metadata(), other.metadata()) {
        use std::os::unix::fs::MetadataExt as _;
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        path.canonicalize()
            .ok()
            .or_else(|| Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?)))
    };
    place(one).is_some_and(|one| place(other) == Some(one))
}

/// Writes the document that the library's export writes, one kind at a time: no more than the
/// largest kind is in memory.
async fn document(
    session: &Session,
    sink: &mut Sink,
    failed: &impl Fn(io::Error) -> Failure,
    orphans: &mut Orphans,
    corrupt: &mut Vec<Error>,
) -> Result<usize, Failure> {
    let progress = Progress::counting("records exported");
    let mut number = 0;
    sink.write_all(b"{\n  \"version\": 1").map_err(failed)?;
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
        write!(sink, ",\n  \"{kind}s\": [").map_err(failed)?;
        let mut separator = "\n    ";
        for record in &records {
            write!(sink, "{separator}{}", indented(record)?).map_err(failed)?;
            separator = ",\n    ";
        }
        sink.write_all(if records.is_empty() { b"]" } else { b"\n  ]" }).map_err(failed)?;
        number += records.len();
    }
    sink.write_all(b"\n}\n").map_err(failed)?;
    sink.flush().map_err(failed)?;
    Ok(number)
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
    let text = text.map_err(io::Error::from)?;
    let inner = text.strip_prefix("[\n  [\n    ").and_then(|rest| rest.strip_suffix("\n  ]\n]"));
    Ok(inner.unwrap_or(&text).to_owned())
}
