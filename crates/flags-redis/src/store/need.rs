//! What a commit may depend on beyond its own records, learned as the script asks for it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;

use flags_core::storage::{Action, Limits, Prepared};
use flags_core::{Alias, Error, ErrorKind, FlagId, FlagKey, Key, Record, Result, Timestamp};

use super::RedisStorage;
use super::cascade::Cascade;
use super::commit::{malformed, surprise};
use super::known::Known;
use crate::keyspace::member;
use crate::reply::Reply;
use crate::script::sha1_hex;

/// What is known of the flag that owns a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nothing: the script looks into the hash of ids.
    Unknown,
    /// This handle has seen it there.
    Seen(FlagKey),
    /// The hash says so.
    Hinted(FlagKey),
    /// Found among all flags; the store is to be told.
    Found(FlagKey),
    /// There is none.
    Missing,
}

impl Owner {
    pub(super) fn key(&self) -> Option<&FlagKey> {
        match self {
            Self::Seen(key) | Self::Hinted(key) | Self::Found(key) => Some(key),
            Self::Unknown | Self::Missing => None,
        }
    }
}

/// One thing that the script asks for.
#[derive(Debug)]
pub(super) struct Need {
    what: String,
    /// Which operation needs it, from 0.
    op: usize,
    detail: Vec<u8>,
    /// The server's time when it asked, in microseconds since the epoch.
    now_us: i64,
}

impl Need {
    pub(super) fn read(parts: &[Reply], now_us: i64, ops: usize) -> Result<Self> {
        let [what, op, detail] = parts else { return Err(surprise()) };
        let op = op.clone().int().map_err(malformed)?;
        let op = usize::try_from(op).ok().and_then(|op| op.checked_sub(1)).filter(|op| *op < ops);
        Ok(Self {
            what: what.clone().text().map_err(malformed)?,
            op: op.ok_or_else(surprise)?,
            detail: detail.clone().bytes().map_err(malformed)?,
            now_us,
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.detail).into_owned()
    }
}

/// What has been learned for one commit.
#[derive(Debug)]
pub(super) struct Learned {
    pub(super) owners: HashMap<FlagId, Owner>,
    /// By operation: members that may hold the alias it puts.
    pub(super) holders: Vec<Vec<String>>,
    /// By operation: the id of the flag that owned the record before, as stored.
    pub(super) formers: Vec<Option<String>>,
    /// By operation: what goes with the flag that it deletes.
    pub(super) cascades: Vec<Option<Cascade>>,
    /// By digest: whether the value is an override that has expired.
    pub(super) ghosts: HashMap<String, bool>,
    /// By digest: hints that are no text, and so name nothing.
    pub(super) unreadable: HashMap<String, bool>,
    pub(super) unadopted: Vec<(Alias, Key)>,
    pub(super) owned_per_delete: usize,
}

impl Learned {
    pub(super) fn new(ops: &[Prepared], known: &Known, limits: &Limits) -> Self {
        let mut owners = HashMap::new();
        let mut holders = vec![Vec::new(); ops.len()];
        for (op, holders) in ops.iter().zip(&mut holders) {
            let Action::Put { record, .. } = &op.action else { continue };
            if let Some(id) = record.owner() {
                owners.entry(id).or_insert_with(|| known.flag(id).map_or(Owner::Unknown, Owner::Seen));
            }
            if let Some(alias) = record.alias()
                && let Some(holder) = known.get(&alias)
                && holder != op.key
            {
                holders.push(member(&holder));
            }
        }
        Self {
            owners,
            holders,
            formers: vec![None; ops.len()],
            cascades: vec![None; ops.len()],
            ghosts: HashMap::new(),
            unreadable: HashMap::new(),
            unadopted: known.unadopted(),
            owned_per_delete: limits.owned_per_delete,
        }
    }

    pub(super) fn cascades(&self) -> impl Iterator<Item = &Cascade> {
        self.cascades.iter().flatten()
    }

    /// The aliases that the store knows of once the commit is done.
    pub(super) fn adopted(&self) -> impl Iterator<Item = (Alias, Key)> {
        let owners = self.owners.iter().filter_map(|(id, owner)| {
            let key = owner.key()?;
            Some((Alias::FlagId(*id), Key::Flag(key.clone())))
        });
        self.unadopted.iter().cloned().chain(owners)
    }
}

impl RedisStorage {
    pub(super) async fn learn(
        &self,
        learned: &mut Learned,
        needs: Vec<Need>,
        ops: &[Prepared],
        handed: &AtomicBool,
    ) -> Result<()> {
        let mut cascading = Vec::new();
        // Several operations may have the same owner.
        let mut owners = HashMap::new();
        for need in needs {
            match need.what.as_str() {
                "owner" => {
                    if let Action::Put { record, .. } = &ops[need.op].action
                        && let Some(id) = record.owner()
                    {
                        owners.insert(id, need.text());
                    }
                }
                "holder" => match String::from_utf8(need.detail) {
                    Ok(holder) => learned.holders[need.op].push(holder),
                    Err(raw) => {
                        learned.unreadable.insert(sha1_hex(raw.as_bytes()), true);
                    }
                },
                "former" => learned.formers[need.op] = Some(need.text()),
                "ghost" => {
                    let gone = is_expired(&ops[need.op].key, &need);
                    learned.ghosts.insert(sha1_hex(&need.detail), gone);
                }
                "cascade" => cascading.push((need.op, need.text(), need.now_us)),
                _ => return Err(surprise()),
            }
        }
        self.learn_owners(learned, owners).await?;
        if !cascading.is_empty() {
            let cascades = self.read_cascades(&cascading, handed).await?;
            for ((op, ..), cascade) in cascading.into_iter().zip(cascades) {
                learned.cascades[op] = Some(cascade);
            }
        }
        Ok(())
    }

    /// The next best guess for each, from what the hash of ids says of it; the script checks them. What
    /// neither this handle nor the hash knows is sought among all flags, together.
    async fn learn_owners(&self, learned: &mut Learned, hints: HashMap<FlagId, String>) -> Result<()> {
        let mut sought = HashSet::new();
        for (id, hint) in hints {
            let next = match (learned.owners.get(&id), FlagKey::new(hint)) {
                // What this handle remembers is out of date. Ask the store's own hash.
                (Some(Owner::Seen(_)), _) => {
                    let alias = Alias::FlagId(id);
                    self.known.forget(&alias);
                    learned.unadopted.retain(|(unadopted, _)| *unadopted != alias);
                    Owner::Unknown
                }
                (Some(Owner::Unknown), Ok(key)) => Owner::Hinted(key),
                _ => {
                    sought.insert(id);
                    continue;
                }
            };
            learned.owners.insert(id, next);
        }
        if sought.is_empty() {
            return Ok(());
        }
        let mut found = self.search_flags(&sought).await?;
        for id in sought {
            let next = found.remove(&id).map_or(Owner::Missing, Owner::Found);
            let before = learned.owners.insert(id, next);
            // Found, refused by the script, and found again: it would go on like this.
            if let Some(Owner::Found(key)) = before
                && learned.owners.get(&id) == Some(&Owner::Found(key.clone()))
            {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    "the flag is stored in a form that the server's scripts cannot read; nothing was changed, \
                     write the flag again",
                )
                .with_key(Key::Flag(key)));
            }
        }
        Ok(())
    }
}

fn is_expired(key: &Key, need: &Need) -> bool {
    let now = Timestamp::from_unix_micros(need.now_us);
    match (Record::decode(key, &need.detail), now) {
        (Ok(record), Some(now)) => record.is_expired(now),
        // A corrupt record counts as present.
        _ => false,
    }
}
