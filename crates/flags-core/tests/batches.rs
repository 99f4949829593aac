//! A batch cut by the limits of a store.

use flags_core::storage::{Batch, Expect, Limits, Op};
use flags_core::{Flag, FlagKey, Key};

fn flag(key: &str, size: usize) -> Flag {
    let mut flag = Flag::new(FlagKey::new(key).expect("a key"));
    flag.description = Some("x".repeat(size));
    flag
}

/// The keys of each batch that a cut gives.
fn cut(batch: &Batch, limits: &Limits) -> Vec<Vec<String>> {
    let batches = batch.clone().split(limits);
    let ops: Vec<Op> = batches.iter().flat_map(Batch::ops).cloned().collect();
    assert_eq!(ops, batch.ops(), "nothing is lost, and the order stays");
    batches.iter().map(|batch| batch.ops().iter().map(|op| op.key().to_string()).collect()).collect()
}

#[test]
fn every_part_is_within_the_limits_and_what_is_not_is_alone() {
    let mut limits = Limits::default();
    (limits.batch_ops, limits.batch_bytes, limits.value_bytes) = (3, 5_000, 3_000);
    let gone = Key::Flag(FlagKey::new("gone").expect("a key"));
    let batch =
        ["a", "b", "c", "d"].iter().fold(Batch::new(), |batch, key| batch.put(flag(key, 0), Expect::Any));
    let batch = batch.put(flag("large", 2_000), Expect::Any).put(flag("larger", 2_400), Expect::Any);
    let batch = batch.put(flag("too large", 4_000), Expect::Any).delete(gone, Expect::Any);
    assert_eq!(
        cut(&batch, &limits),
        [
            vec!["flag:a", "flag:b", "flag:c"],
            vec!["flag:d", "flag:large"],
            vec!["flag:larger"],
            vec!["flag:too large"],
            vec!["flag:gone"]
        ]
    );
    for part in batch.split(&limits) {
        let alone = part.len() == 1;
        assert!(part.prepare(&limits).is_ok() || alone);
    }
    assert!(Batch::new().split(&limits).is_empty());
}

#[test]
fn limits_that_are_none_cut_nothing() {
    let mut limits = Limits::default();
    (limits.batch_ops, limits.batch_bytes) = (usize::MAX, usize::MAX);
    let batch = Batch::new().put(flag("a", 10), Expect::Any).put(flag("b", 2_000_000), Expect::Any);
    assert_eq!(cut(&batch, &limits).len(), 2, "one of them is past the limit of a value");
}
