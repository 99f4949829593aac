//! What a flag owns, read before the flag is deleted. The script checks that nothing was added since.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use flags_core::storage::{Batch, Expect, Op};
use flags_core::{ErrorKind, FlagId, Key, Kind, Result};
use futures_util::future::BoxFuture;

use super::RedisStorage;
use super::cursor::Cursor;
use crate::error::from_useless;
use crate::keyspace::{Keyspace, member};
use crate::options::Foreign;
use crate::reply::{Reply, Useless};
use crate::script::sha1_hex;

/// How many expired overrides are swept at once.
const PORTION: usize = 500;

/// What goes with a flag.
#[derive(Debug, Clone)]
pub(super) struct Cascade {
    /// The flag's id as stored.
    pub(super) id: String,
    /// The flag's id, if the stored one is an id.
    pub(super) owner: Option<FlagId>,
    /// By kind: what the indexes name, as they name it.
    pub(super) sets: Vec<(Kind, Vec<String>)>,
    /// The digests of what the indexes name beside them, which is no record of ours. JSON may have no way to
    /// say it.
    pub(super) strays: HashSet<String>,
    /// How many records that would be, if they are more than one commit deletes.
    pub(super) over: Option<usize>,
}

impl RedisStorage {
    /// Reads what the flags own: one round trip, and the scan for overrides of other writers. `deletes` are
    /// operation, flag id and the server's time in microseconds.
    pub(super) async fn read_cascades(
        &self,
        deletes: &[(usize, String, i64)],
        handed: &AtomicBool,
    ) -> Result<Vec<Cascade>> {
        let mut cascades = Vec::with_capacity(deletes.len());
        let (mut indexes, mut times) = (Vec::new(), Vec::new());
        for (_, id, now_us) in deletes {
            let owner: Option<FlagId> = id.parse().ok();
            let mut sets = Vec::new();
            for kind in Kind::OWNED {
                let Some(owner) = owner else { break };
                indexes.push((kind, self.keyspace.owned(kind, owner)));
                times.push(now_us / 1_000);
                sets.push((kind, Vec::new()));
            }
            cascades.push(Cascade { id: id.clone(), owner, sets, strays: HashSet::new(), over: None });
        }
        if !indexes.is_empty() {
            let mut all = self.members(&indexes).await?.into_iter().zip(times);
            for Cascade { sets, strays, .. } in &mut cascades {
                for (kind, members) in sets {
                    let Some((found, now_ms)) = all.next() else { break };
                    sort_out(*kind, found, now_ms, members, strays).map_err(from_useless)?;
                }
            }
        }
        let limit = self.descriptor.limits().owned_per_delete;
        if self.foreign == Foreign::Scan {
            let indexed = self.add_scanned(&mut cascades).await?;
            if cascades.iter().map(Cascade::len).sum::<usize>() > limit {
                self.sweep(&mut cascades, &indexed, handed).await?;
            }
        }
        let mut owned = 0;
        for cascade in &mut cascades {
            owned += cascade.len();
            if owned > limit {
                // The script refuses it in its turn: an earlier operation may fail for another reason.
                cascade.sets.clear();
                cascade.over = Some(owned);
            }
        }
        Ok(cascades)
    }

    /// Adds the overrides that are in no index. Answers those that are in one.
    async fn add_scanned(&self, cascades: &mut [Cascade]) -> Result<HashSet<String>> {
        // One flag is sought by its own pattern, several by one scan for all.
        let only = match &*cascades {
            [cascade] => match cascade.owner {
                Some(owner) => Some(owner),
                None => return Ok(HashSet::new()),
            },
            _ => None,
        };
        let overrides = cascades.iter().filter_map(|cascade| cascade.sets.first());
        let indexed = overrides.flat_map(|(_, members)| members.iter().cloned()).collect();
        let mut cursor = Some(Cursor::default());
        while let Some(at) = cursor {
            let (next, keys) = self.scan_overrides(only, at).await?;
            cursor = next;
            for key in keys {
                let Key::Override(owner, ..) = &key else { continue };
                let cascade = cascades.iter_mut().find(|cascade| cascade.owner == Some(*owner));
                if let Some((_, members)) = cascade.and_then(|cascade| cascade.sets.first_mut()) {
                    members.push(member(&key));
                }
            }
        }
        for (_, members) in cascades.iter_mut().filter_map(|cascade| cascade.sets.first_mut()) {
            members.sort_unstable();
            members.dedup();
        }
        Ok(indexed)
    }

    /// Deletes the scanned overrides that have expired, which count for nothing, and leaves them out. Only
    /// where they are so many that the flag could not be deleted with them. Boxed, since committing may come
    /// here.
    fn sweep<'a>(
        &'a self,
        cascades: &'a mut [Cascade],
        indexed: &'a HashSet<String>,
        handed: &'a AtomicBool,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let limits = self.descriptor.limits();
            for (kind, members) in cascades.iter_mut().filter_map(|cascade| cascade.sets.first_mut()) {
                let scanned = members.iter().filter(|member| !indexed.contains(*member));
                let keys: Vec<Key> =
                    scanned.filter_map(|member| Keyspace::parse_member(*kind, member.as_bytes())).collect();
                let mut swept = HashSet::new();
                for keys in keys.chunks(limits.batch_ops.clamp(1, PORTION)) {
                    let (values, now) = self.fetch(keys).await?;
                    let gone = keys.iter().zip(values).filter(|(key, value)| {
                        let bytes = value.as_deref();
                        bytes.is_none_or(|bytes| matches!(self.decode(key, bytes, now), Ok(None)))
                    });
                    let gone: Vec<Key> = gone.map(|(key, _)| key.clone()).collect();
                    // The script judges them once more: another writer may just have written one again.
                    let batch: Batch =
                        gone.iter().map(|key| Op::Delete(key.clone(), Expect::Absent)).collect();
                    let ops = batch.prepare(limits)?;
                    match self.commit_prepared(&ops, &[], handed).await {
                        Ok(_) => swept.extend(gone.iter().map(member)),
                        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                        Err(error) => return Err(error),
                    }
                }
                members.retain(|member| !swept.contains(member));
            }
            Ok(())
        })
    }
}

impl Cascade {
    fn len(&self) -> usize {
        self.sets.iter().map(|(_, members)| members.len()).sum()
    }
}

/// Takes apart what the index of a flag names. What names no record, or spells one otherwise than we do, is
/// no key; it goes with its index.
fn sort_out(
    kind: Kind,
    found: Vec<Reply>,
    now_ms: i64,
    members: &mut Vec<String>,
    strays: &mut HashSet<String>,
) -> Result<(), Useless> {
    let mut found = found.into_iter();
    while let Some(name) = found.next() {
        let name = name.bytes()?;
        if kind == Kind::Override && found.next().unwrap_or(Reply::Nil).score()? < now_ms as f64 {
            continue;
        }
        let key = Keyspace::parse_member(kind, &name).map(|key| member(&key));
        match key.filter(|key| key.as_bytes() == name) {
            Some(key) => members.push(key),
            None => drop(strays.insert(sha1_hex(&name))),
        }
    }
    Ok(())
}
