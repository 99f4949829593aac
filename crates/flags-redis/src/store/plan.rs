//! [`Plan`]: a batch as the commit script reads it.

use std::collections::HashMap;
use std::sync::Arc;

use flags_core::storage::{Action, Expect, Prepared};
use flags_core::{Alias, FlagId, Key, Kind, Record, Timestamp};
use serde::Serialize;

use super::cascade::Cascade;
use super::need::{Learned, Owner};
use crate::keyspace::{Keyspace, alias_field, member};

/// The keys and arguments of the script.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) keys: Vec<String>,
    pub(super) args: Vec<Arc<Vec<u8>>>,
    /// By operation: the Redis key of its record.
    pub(super) records: Vec<String>,
}

// Positions count from 1, as in Lua. A member that is absent is `nil` there; a null would not be.
#[derive(Serialize)]
struct Body<'a> {
    /// One letter a key: `t` text, `s` set, `z` sorted set, `h` hash, `-` any.
    types: String,
    ops: Vec<PlanOp>,
    ghosts: &'a HashMap<String, bool>,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    unreadable: &'a HashMap<String, bool>,
    adopt: Vec<Hint>,
}

#[derive(Serialize)]
struct Hint {
    hash: usize,
    kind: &'static str,
    name: String,
    member: String,
    key: usize,
}

#[derive(Serialize)]
struct PlanOp {
    action: &'static str,
    kind: &'static str,
    key: usize,
    member: String,
    expect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<usize>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// The last millisecond at which it is alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pxat: Option<i64>,
    /// The indexes that name it.
    sets: Vec<usize>,
    owned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<PlanOwner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<PlanAlias>,
    #[serde(skip_serializing_if = "Option::is_none")]
    former: Option<PlanFormer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cascade: Option<PlanCascade>,
}

#[derive(Serialize)]
struct PlanOwner {
    id: String,
    hash: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    missing: bool,
    adopt: bool,
}

#[derive(Serialize)]
struct PlanAlias {
    hash: usize,
    /// The member of the record's JSON that is the alias.
    field: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    holders: Vec<PlanHolder>,
}

#[derive(Serialize)]
struct PlanHolder {
    member: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<usize>,
}

#[derive(Serialize)]
struct PlanFormer {
    id: String,
    key: usize,
}

#[derive(Serialize)]
struct PlanCascade {
    id: String,
    over: bool,
    sets: Vec<PlanSet>,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    strays: HashMap<String, bool>,
}

#[derive(Serialize)]
struct PlanSet {
    kind: &'static str,
    /// The flag's index, and the index of all.
    key: usize,
    all: usize,
    /// Where the keys of the members begin.
    first: usize,
    members: Vec<String>,
}

impl Plan {
    /// `values` are the JSON of what is put, in order: encoded once, however often the commit is asked.
    pub(super) fn new(
        ops: &[Prepared],
        values: &[Arc<Vec<u8>>],
        learned: &Learned,
        keyspace: &Keyspace,
    ) -> Self {
        let mut builder =
            Builder { keyspace, learned, keys: Vec::new(), types: String::new(), at: HashMap::new() };
        let mut puts = 0;
        let plan_ops = ops.iter().enumerate().map(|(place, op)| builder.op(place, op, &mut puts)).collect();
        let adopt = learned.unadopted.iter().map(|(alias, key)| builder.hint(alias, key)).collect();
        let body = Body {
            types: builder.types,
            ops: plan_ops,
            ghosts: &learned.ghosts,
            unreadable: &learned.unreadable,
            adopt,
        };
        // A plan of strings and numbers always has a JSON form.
        let mut args = vec![Arc::new(serde_json::to_vec(&body).unwrap_or_default())];
        args.extend(values.iter().cloned());
        let records = ops.iter().map(|op| keyspace.record(&op.key)).collect();
        Self { keys: builder.keys, args, records }
    }
}

struct Builder<'a> {
    keyspace: &'a Keyspace,
    learned: &'a Learned,
    keys: Vec<String>,
    types: String,
    at: HashMap<String, usize>,
}

impl Builder<'_> {
    fn key(&mut self, name: String, kind: char) -> usize {
        if let Some(at) = self.at.get(&name) {
            return *at;
        }
        let at = self.push(name.clone(), kind);
        self.at.insert(name, at);
        at
    }

    fn push(&mut self, name: String, kind: char) -> usize {
        self.keys.push(name);
        self.types.push(kind);
        self.keys.len()
    }

    fn index(&mut self, kind: Kind, owner: Option<FlagId>) -> usize {
        let name = match owner {
            Some(owner) => self.keyspace.owned(kind, owner),
            None => self.keyspace.all(kind),
        };
        self.key(name, if kind == Kind::Override { 'z' } else { 's' })
    }

    fn aliases(&mut self, kind: Kind) -> usize {
        self.key(self.keyspace.aliases(kind), 'h')
    }

    fn hint(&mut self, alias: &Alias, key: &Key) -> Hint {
        let kind = alias.kind();
        Hint {
            hash: self.aliases(kind),
            kind: kind.as_str(),
            name: alias_field(alias),
            member: member(key),
            // Whatever type it is of, it is no reason to refuse the batch.
            key: self.key(self.keyspace.record(key), '-'),
        }
    }

    fn op(&mut self, place: usize, op: &Prepared, puts: &mut usize) -> PlanOp {
        let kind = op.key.kind();
        let (expect, revision) = match &op.expect {
            Expect::Any => ("any", None),
            Expect::Absent => ("absent", None),
            Expect::Present => ("present", None),
            Expect::Revision(revision) => ("revision", Some(revision.to_string())),
            // A condition of a later version is never held to be fulfilled.
            _ => ("revision", Some(String::from("unknown"))),
        };
        let mut planned = PlanOp {
            action: "check",
            kind: kind.as_str(),
            key: self.key(self.keyspace.record(&op.key), 't'),
            member: member(&op.key),
            expect,
            revision,
            value: None,
            expires: None,
            pxat: None,
            sets: Vec::new(),
            owned: Kind::OWNED.contains(&kind),
            owner: None,
            alias: None,
            former: None,
            cascade: None,
        };
        match &op.action {
            Action::Put { record, .. } => {
                planned.action = "put";
                *puts += 1;
                // The first argument is the plan.
                planned.value = Some(*puts + 1);
                self.put(place, record, &mut planned);
            }
            Action::Delete => {
                planned.action = "delete";
                let owner = match &op.key {
                    Key::Override(owner, ..) => Some(*owner),
                    _ => None,
                };
                planned.sets = self.sets(kind, owner);
                planned.alias = self.alias(place, kind, None);
                planned.cascade = self.learned.cascades[place].as_ref().map(|cascade| self.cascade(cascade));
            }
            _ => return planned,
        }
        planned.former = self.learned.formers[place].clone().map(|id| {
            let owner = id.parse().ok();
            // What is no id has no index of its own; leaving the common one and entering it again does no
            // harm.
            PlanFormer { key: self.index(kind, owner), id }
        });
        planned
    }

    fn put(&mut self, place: usize, record: &Record, planned: &mut PlanOp) {
        let kind = record.kind();
        planned.sets = self.sets(kind, record.owner());
        planned.alias = self.alias(place, kind, record.alias().as_ref());
        if let Some(at) = record.expires_at() {
            planned.expires = Some(at.unix_micros());
            planned.pxat = Some(last_millisecond(at));
        }
        if let Some(id) = record.owner() {
            let owner = self.learned.owners.get(&id).unwrap_or(&Owner::Unknown);
            planned.owner = Some(PlanOwner {
                id: id.to_string(),
                hash: self.aliases(Kind::Flag),
                key: owner.key().map(|key| self.key(self.keyspace.record(&Key::Flag(key.clone())), 't')),
                member: owner.key().map(ToString::to_string),
                missing: *owner == Owner::Missing,
                adopt: matches!(owner, Owner::Found(_)),
            });
        }
    }

    fn sets(&mut self, kind: Kind, owner: Option<FlagId>) -> Vec<usize> {
        let mut sets = vec![self.index(kind, None)];
        if owner.is_some() {
            sets.push(self.index(kind, owner));
        }
        sets
    }

    fn alias(&mut self, place: usize, kind: Kind, alias: Option<&Alias>) -> Option<PlanAlias> {
        let field = match kind {
            Kind::Flag => "id",
            Kind::Segment => "name",
            _ => return None,
        };
        let hash = self.aliases(kind);
        let holders = self.learned.holders[place].iter().map(|holder| {
            let key = Keyspace::parse_member(kind, holder.as_bytes());
            let key = key.map(|key| self.keyspace.record(&key));
            PlanHolder { member: holder.clone(), key: key.map(|key| self.key(key, 't')) }
        });
        let holders = holders.collect();
        Some(PlanAlias { hash, field, name: alias.map(alias_field), holders })
    }

    fn cascade(&mut self, cascade: &Cascade) -> PlanCascade {
        let mut sets = Vec::new();
        for (kind, members) in &cascade.sets {
            let first = self.keys.len() + 1;
            for member in members {
                if let Some(key) = Keyspace::parse_member(*kind, member.as_bytes()) {
                    // Whatever type it is of, it goes.
                    let _ = self.push(self.keyspace.record(&key), '-');
                }
            }
            sets.push(PlanSet {
                kind: kind.as_str(),
                key: self.index(*kind, cascade.owner),
                all: self.index(*kind, None),
                first,
                members: members.clone(),
            });
        }
        let strays = cascade.strays.iter().map(|digest| (digest.clone(), true)).collect();
        PlanCascade { id: cascade.id.clone(), over: cascade.over.is_some(), sets, strays }
    }
}

/// Redis keeps a key alive at the millisecond it is told, and a record ends at its instant.
pub(super) fn last_millisecond(at: Timestamp) -> i64 {
    at.unix_micros().saturating_add(999).div_euclid(1_000) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_dies_before_its_record_is_due() {
        let at = |micros| last_millisecond(Timestamp::from_unix_micros(micros).unwrap());
        assert_eq!((at(5_000), at(5_001), at(4_999)), (4, 5, 4));
    }
}
