//! What is in the store at the beginning, the same to the byte each time.

use async_trait::async_trait;
use flags_core::storage::{Batch, Expect};
use flags_core::{
    ChangeType, Clock, EntityId, EntityType, Flag, FlagKey, Override, Record, RolloutPhase, ScheduledChange,
    Segment, SegmentName, TimeOfDay, TimeSchedule, Timestamp,
};

/// Says the same time always, and sleeps by the real one.
#[derive(Debug)]
pub(crate) struct Noon;

#[async_trait]
impl Clock for Noon {
    fn now(&self) -> Timestamp {
        instant("2030-01-01T12:00:00+00:00")
    }

    async fn sleep(&self, duration: std::time::Duration) {
        tokio::time::sleep(duration).await;
    }
}

pub(crate) fn instant(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

pub(crate) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(of: u8) -> T {
    format!("00000000-0000-4000-8000-0000000000{of:02}").parse().expect("an id")
}

pub(crate) fn key(name: &str) -> FlagKey {
    FlagKey::new(name).expect("a flag key")
}

/// A flag of that number, which its id says.
pub(crate) fn flag(name: &str, number: u8) -> Flag {
    let mut flag = Flag::new(key(name));
    flag.id = id(number);
    flag
}

pub(crate) fn user() -> EntityType {
    EntityType::new("user").expect("an entity type")
}

pub(crate) fn entity(name: &str) -> EntityId {
    EntityId::new(name).expect("an entity id")
}

pub(crate) fn over(owner: u8, name: &str, number: u8) -> Override {
    let mut over = Override::new(id(owner), user(), entity(name), true);
    over.id = id(number);
    over
}

pub(crate) fn change(owner: u8, number: u8) -> ScheduledChange {
    let mut change = ScheduledChange::new(id(owner), ChangeType::Enable, Timestamp::UNIX_EPOCH);
    change.id = id(number);
    change
}

pub(crate) fn phase(owner: u8, step: i64, number: u8) -> RolloutPhase {
    let mut phase = RolloutPhase::new(id(owner), step, 10, Timestamp::UNIX_EPOCH);
    phase.id = id(number);
    phase
}

pub(crate) fn window(owner: u8, name: &str, number: u8) -> TimeSchedule {
    let mut window = TimeSchedule::new(id(owner), name, TimeOfDay::MIDNIGHT, TimeOfDay::LAST_MINUTE);
    window.id = id(number);
    window
}

pub(crate) fn name(of: &str) -> SegmentName {
    SegmentName::new(of).expect("a segment name")
}

pub(crate) fn segment(of: &str, number: u8) -> Segment {
    let mut segment = Segment::new(name(of));
    segment.id = id(number);
    segment
}

/// Two flags, one of which owns something of every kind, and two segments.
pub(crate) fn batch() -> Batch {
    let mut child = segment("child", 41);
    child.parent_segment_id = Some(id(40));
    let records: [Record; 9] = [
        flag("a", 1).into(),
        flag("b", 2).into(),
        over(1, "x", 10).into(),
        over(1, "y", 11).into(),
        change(1, 20).into(),
        phase(1, 1, 30).into(),
        window(1, "window", 35).into(),
        segment("parent", 40).into(),
        child.into(),
    ];
    records.into_iter().fold(Batch::new(), |batch, record| batch.put(record, Expect::Any))
}
