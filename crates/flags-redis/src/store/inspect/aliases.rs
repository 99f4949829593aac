//! From an alias to the record that it leads to.

use flags_core::storage::Flaw;
use flags_core::{Kind, Record, Result};

use super::super::RedisStorage;
use super::super::cursor::Cursor;
use super::super::source::one;
use super::mend::Mending;
use super::{Found, Page, Step, scanned};
use crate::error::from_useless;
use crate::keyspace::{Keyspace, alias_field};
use crate::reply::Command;

pub(super) async fn page(store: &RedisStorage, kind: Kind, cursor: Cursor) -> Result<Page> {
    let hash = store.keyspace.aliases(kind);
    let Some((cursor, items)) = scanned(store, "HSCAN", &hash, &cursor).await? else {
        return Ok(Page { found: vec![Found::by_hand(Flaw::WrongType, hash, None)], then: Vec::new() });
    };
    let mut page = Page::default();
    if let Some(cursor) = cursor {
        page.then.push(Step::Aliases { kind, cursor });
    }
    let hints: Vec<(&[u8], &[u8])> =
        items.chunks_exact(2).map(|pair| (pair[0].as_slice(), pair[1].as_slice())).collect();
    if hints.is_empty() {
        return Ok(page);
    }
    let keys: Vec<Vec<u8>> = hints.iter().map(|(_, member)| store.keyspace.named(kind, member)).collect();
    let values = one(store.read(&[Command::mget(keys.iter().cloned())]).await?);
    let values = values.values(keys.len()).map_err(from_useless)?;
    for (((alias, member), record), value) in hints.into_iter().zip(keys).zip(values) {
        let key = Keyspace::parse_member(kind, member);
        let mending = match &value {
            None => Mending::without(record, &hash),
            Some(value) => {
                let decoded = key.as_ref().map(|key| Record::decode(key, value));
                match decoded {
                    // What a corrupt record bears is unknown.
                    Some(Err(_)) => continue,
                    Some(Ok(decoded)) if bears(&decoded, alias) => continue,
                    _ => Mending::with(record, value, &hash),
                }
            }
        };
        let place = format!("{hash} {}", String::from_utf8_lossy(alias));
        let mending = mending.while_it_says(member).by("HDEL", [alias]);
        page.found.push(Found::mendable(Flaw::StaleAlias, place, key, mending));
    }
    Ok(page)
}

fn bears(record: &Record, alias: &[u8]) -> bool {
    record.alias().is_some_and(|own| alias_field(&own).as_bytes() == alias)
}
