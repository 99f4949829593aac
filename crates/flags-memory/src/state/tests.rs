//! Records that claim one alias.

use flags_core::storage::{Batch, Expect, Limits, Revision};
use flags_core::{ErrorKind, Flag, FlagKey, Record, Segment, SegmentName};

use super::*;

fn flag(key: &str, id: FlagId) -> (Key, Record) {
    let mut flag = Flag::new(FlagKey::new(key).expect("a key"));
    flag.id = id;
    (Key::Flag(flag.key.clone()), flag.into())
}

fn entry(record: &Record) -> Entry {
    Entry::new(record.clone(), Revision::new("1"))
}

fn twins(keys: &[&str]) -> (State, FlagId, Vec<(Key, Record)>) {
    let (mut state, id) = (State::default(), FlagId::new());
    let flags: Vec<(Key, Record)> = keys.iter().map(|key| flag(key, id)).collect();
    flags.iter().for_each(|(key, record)| state.insert(key, entry(record)));
    (state, id, flags)
}

fn apply(state: &State, batch: Batch) -> Result<State> {
    let limits = Limits::default();
    let batch = batch.prepare(&limits)?;
    Ok(state.apply(&batch, Timestamp::now(), &limits, |_| Revision::new("2"))?.state)
}

#[test]
fn of_twins_the_next_one_has_the_alias_when_its_holder_goes() {
    let (state, id, flags) = twins(&["a", "c", "b"]);
    let holder = |state: &State| state.key_of(&Alias::FlagId(id)).map(ToString::to_string);
    assert_eq!(holder(&state).as_deref(), Some("flag:a"));
    assert_eq!(state.twins().map(|(key, _)| key.to_string()).collect::<Vec<_>>(), ["flag:b", "flag:c"]);

    // Who holds it keeps it over a write of its own.
    let kept = apply(&state, Batch::new().put(flags[0].1.clone(), Expect::Present)).expect("applied");
    assert_eq!(holder(&kept).as_deref(), Some("flag:a"));
    assert_eq!(kept.twins().count(), 2);

    let next = apply(&kept, Batch::new().delete(flags[0].0.clone(), Expect::Present)).expect("applied");
    assert_eq!(holder(&next).as_deref(), Some("flag:b"));
    let mut last = next.clone();
    last.remove(&flags[2].0);
    assert_eq!(holder(&last).as_deref(), Some("flag:c"));
    assert!(next.has_twins() && !last.has_twins());
    last.remove(&flags[1].0);
    assert_eq!(holder(&last), None);
}

#[test]
fn nobody_else_takes_an_alias_that_a_twin_waits_for() {
    let (state, id, flags) = twins(&["a", "b"]);
    let (_, taker) = flag("taker", id);
    let batch = Batch::new().delete(flags[0].0.clone(), Expect::Present).put(taker, Expect::Absent);
    let error = apply(&state, batch).expect_err("b has that id");
    assert_eq!(error.kind(), ErrorKind::Conflict);

    // Nor where its holder is renamed by the same batch.
    let segment = |name: &str| Segment::new(SegmentName::new(name).expect("a name"));
    let (mut holder, twin, taker) = (segment("n"), segment("n"), segment("n"));
    let mut state = State::default();
    for segment in [&holder, &twin] {
        state.insert(&Key::Segment(segment.id), entry(&segment.clone().into()));
    }
    holder.name = SegmentName::new("m").expect("a name");
    let renamed = Batch::new().put(holder.clone(), Expect::Present);
    let left = apply(&state, renamed.clone()).expect("applied");
    let name = Alias::SegmentName(twin.name.clone());
    assert_eq!(left.key_of(&name), Some(&Key::Segment(twin.id)));
    let error = apply(&state, renamed.put(taker, Expect::Absent)).expect_err("the twin has that name");
    assert_eq!(error.kind(), ErrorKind::Conflict);
}
