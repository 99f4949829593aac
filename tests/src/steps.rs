//! A store that goes through numbered states, one commit each: what a writer that may die at any moment does.

use flags_core::storage::{Batch, Expect, Op, Revision};
use flags_core::{
    ChangeType, EntityId, EntityType, Flag, FlagId, FlagKey, Json, Key, Override, Record, Result,
    RolloutPhase, ScheduledChange, TimeOfDay, TimeSchedule, Timestamp,
};

/// The flag that is there in every state, and says which one it is.
pub fn counter() -> Key {
    flag("left", 0).key()
}

/// The number of the state that the counter says, where it is the counter.
pub fn number(counter: &Record) -> Option<u64> {
    match counter {
        Record::Flag(flag) => flag.metadata.text().parse().ok(),
        _ => None,
    }
}

/// What the store holds in state `n`, and nothing else. State 0 is the empty store.
///
/// From each state to the next, all of these are in one commit: values that change, records that come and go,
/// and a flag that is deleted with what it owns.
pub fn records(n: u64) -> Vec<Record> {
    slots(n).into_iter().filter_map(|(record, there)| there.then_some(record)).collect()
}

/// What leads from state `n - 1` to state `n`; the counter is expected to have that revision.
pub fn batch(n: u64, counter: Option<&Revision>) -> Batch {
    let before = slots(n - 1);
    let mut ops = Vec::new();
    for ((record, there), (old, was_there)) in slots(n).into_iter().zip(before) {
        let key = record.key();
        assert_eq!(key, old.key(), "slots are in the same order in every state");
        let expect = match counter {
            Some(revision) if ops.is_empty() => Expect::Revision(revision.clone()),
            _ if was_there => Expect::Present,
            _ => Expect::Absent,
        };
        if there {
            ops.push(Op::Put(record, expect));
        } else if was_there && record.owner() != Some(id(3)) {
            ops.push(Op::Delete(key, expect));
        }
    }
    ops.into_iter().collect()
}

/// Every record that a state may hold, and whether this one does. The counter is the first, owners precede
/// what they own.
fn slots(n: u64) -> Vec<(Record, bool)> {
    let begun = n > 0;
    let at = Timestamp::UNIX_EPOCH;
    let mut change = ScheduledChange::new(id(2), ChangeType::Enable, at);
    change.id = fixed(10);
    let mut phase = RolloutPhase::new(id(2), 1, 10, at);
    phase.id = fixed(11);
    let mut window = TimeSchedule::new(id(1), "window", TimeOfDay::MIDNIGHT, TimeOfDay::LAST_MINUTE);
    window.id = fixed(12);
    vec![
        (flag("left", n), begun),
        (flag("right", n), begun),
        (flag("third", n), begun && n.is_multiple_of(3)),
        (user(1, "always", n), begun),
        (user(1, "even", n), begun && n.is_multiple_of(2)),
        // Goes with its flag.
        (user(3, "of the third", n), begun && n.is_multiple_of(3)),
        (change.into(), begun && n.is_multiple_of(2)),
        (phase.into(), !n.is_multiple_of(2)),
        (window.into(), n % 3 == 1),
    ]
}

fn flag(key: &str, n: u64) -> Record {
    let mut flag = Flag::new(FlagKey::new(key).expect("a flag key"));
    flag.id = id(match key {
        "left" => 1,
        "right" => 2,
        _ => 3,
    });
    flag.metadata = number_json(n);
    flag.into()
}

fn user(owner: u8, entity: &str, n: u64) -> Record {
    let (kind, entity) = (EntityType::new("user"), EntityId::new(entity));
    let mut over =
        Override::new(id(owner), kind.expect("an entity type"), entity.expect("an entity id"), true);
    over.id = fixed(20 + owner);
    over.value = Some(number_json(n));
    over.into()
}

fn number_json(n: u64) -> Json {
    Json::new(&n).expect("a number is JSON")
}

fn id(of: u8) -> FlagId {
    fixed(of)
}

fn fixed<T: std::str::FromStr<Err: std::fmt::Debug>>(of: u8) -> T {
    format!("00000000-0000-4000-8000-0000000000{of:02}").parse().expect("an id")
}

/// Brings the store to the next state for as long as it is let, saying on each line of the standard output
/// which state it begins and which it has reached.
pub async fn walk(storage: &dyn flags_core::Storage) -> Result<()> {
    let key = counter();
    loop {
        let (mut n, mut revision) = match storage.get(std::slice::from_ref(&key)).await?.pop().transpose()? {
            Some(Some(stored)) => (number(&stored.record).unwrap_or_default(), Some(stored.revision)),
            _ => (0, None),
        };
        loop {
            n += 1;
            println!("begins {n}");
            match storage.commit(batch(n, revision.as_ref())).await {
                Ok(effects) => revision = effects.into_iter().next().and_then(|effect| effect.after),
                // What a writer that was killed had sent may arrive after it. Then this one begins from
                // there.
                Err(error) if error.is_stale() => break,
                Err(error) => return Err(error),
            }
            println!("reached {n}");
        }
    }
}
