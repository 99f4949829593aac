//! What a flag owns, read before the flag is deleted. The script checks that nothing was added since.

use flags_core::{FlagId, Key, Kind, Result};

use super::RedisStorage;
use crate::error::from_useless;
use crate::keyspace::{Keyspace, member};
use crate::options::Foreign;
use crate::reply::Command;

/// What goes with a flag.
#[derive(Debug, Clone)]
pub(super) struct Cascade {
    /// The flag's id as stored.
    pub(super) id: String,
    /// The flag's id, if the stored one is an id.
    pub(super) owner: Option<FlagId>,
    /// By kind: what the indexes name, as they name it.
    pub(super) sets: Vec<(Kind, Vec<String>)>,
    /// How many records that would be, if they are more than one commit deletes.
    pub(super) over: Option<usize>,
}

impl RedisStorage {
    /// Reads what the flags own: one round trip, and the scan for overrides of other writers. `deletes` are operation, flag
    /// id and the server's time.
    pub(super) async fn read_cascades(&self, deletes: &[(usize, String, i64)]) -> Result<Vec<Cascade>> {
        let mut cascades = Vec::with_capacity(deletes.len());
        let mut commands = Vec::new();
        for (_, id, now_ms) in deletes {
            let owner: Option<FlagId> = id.parse().ok();
            let mut sets = Vec::new();
            for kind in Kind::OWNED {
                let Some(owner) = owner else { break };
                let index = self.keyspace.owned(kind, owner);
                commands.push(match kind {
                    Kind::Override => {
                        Command::new("ZRANGEBYSCORE").arg(index).arg(now_ms.to_string()).arg("+inf")
                    }
                    _ => Command::new("SMEMBERS").arg(index),
                });
                sets.push((kind, Vec::new()));
            }
            cascades.push(Cascade { id: id.clone(), owner, sets, over: None });
        }
        if !commands.is_empty() {
            let mut replies = self.read(&commands).await?.into_iter();
            for (kind, members) in cascades.iter_mut().flat_map(|cascade| &mut cascade.sets) {
                let Some(reply) = replies.next() else { break };
                for found in reply.list().map_err(from_useless)? {
                    // A member that names no record is no key either; it goes with its index.
                    let found = found.bytes().map_err(from_useless)?;
                    members.extend(
                        Keyspace::parse_member(*kind, &found).map(|key| (key, found)).and_then(as_named),
                    );
                }
            }
        }
        if self.foreign == Foreign::Scan {
            self.add_scanned(&mut cascades).await?;
        }
        let mut owned = 0;
        for cascade in &mut cascades {
            owned += cascade.sets.iter().map(|(_, set)| set.len()).sum::<usize>();
            if owned > self.descriptor.limits().owned_per_delete {
                // The script refuses it in its turn: an earlier operation may fail for another reason.
                cascade.sets.clear();
                cascade.over = Some(owned);
            }
        }
        Ok(cascades)
    }

    /// The overrides that are in no index.
    async fn add_scanned(&self, cascades: &mut [Cascade]) -> Result<()> {
        // One flag is sought by its own pattern, several by one scan for all.
        let only = match &*cascades {
            [cascade] => match cascade.owner {
                Some(owner) => Some(owner),
                None => return Ok(()),
            },
            _ => None,
        };
        let mut cursor = Some(b"0".to_vec());
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
        Ok(())
    }
}

/// The member as text, unless it spells its record otherwise than we do.
fn as_named((key, found): (Key, Vec<u8>)) -> Option<String> {
    let text = String::from_utf8(found).ok()?;
    (member(&key) == text).then_some(text)
}
