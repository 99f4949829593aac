//! Decisions, compilation and edits of `flags-engine`.
//!
//! Memory is what the allocator counts: the column `max alloc` of a compilation is what its result holds and
//! what was needed on the way.

use divan::{AllocProfiler, Bencher, black_box};
use flags_benches::flag;
use flags_core::{
    Condition, EntityId, EntityType, Flag, FlagId, FlagKey, Override, Rule, Segment, SegmentName, Timestamp,
};
use flags_engine::{EvaluationContext, Ruleset, RulesetBuilder, Semantics};
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const AT: Timestamp = Timestamp::UNIX_EPOCH;
const MANY: usize = 10_000;

fn main() {
    divan::main();
}

fn key(name: &str) -> FlagKey {
    FlagKey::new(name).expect("a key")
}

fn compile(flags: impl IntoIterator<Item = Arc<Flag>>) -> RulesetBuilder {
    flags.into_iter().fold(Ruleset::builder(Semantics::Compat), RulesetBuilder::flag)
}

/// Static; one rule; two conditions and a percentage.
fn shape(name: &str, rules: usize) -> Arc<Flag> {
    let mut flag = Flag::new(key(name));
    flag.rules =
        match rules {
            0 => vec![],
            1 => vec![Rule::new("nl").when(Condition::new("country", "eq", "NL"))],
            _ => {
                let mut rule = Rule::new("half")
                    .when(Condition::new("plan", "eq", "pro"))
                    .when(Condition::new("country", "in", ["NL", "BE", "LU"]));
                rule.rollout_percentage = Some(100);
                vec![rule]
            }
        };
    flag.into()
}

fn three() -> [Arc<Flag>; 3] {
    [shape("static", 0), shape("one-rule", 1), shape("two-conditions", 2)]
}

fn ann() -> EvaluationContext {
    EvaluationContext::builder()
        .targeting_key("user-123")
        .user_id("user-123")
        .country("NL")
        .app_version("3.5.0")
        .attribute("plan", "pro")
        .build()
}

/// Flags of five rules with three conditions each.
fn five_rules(n: usize) -> Arc<Flag> {
    let mut flag = Flag::new(key(&format!("flag-{n:06}")));
    flag.rules = (0..5)
        .map(|place| {
            let mut rule = Rule::new(format!("rule {place}"))
                .when(Condition::new("country", "in", ["NL", "BE", "LU"]))
                .when(Condition::new("email", "ends_with", "@example.com"))
                .when(Condition::new("app_version", "semver_gt", "3.4.0"));
            rule.rollout_percentage = Some(25);
            rule
        })
        .collect();
    flag.into()
}

fn record(flag_id: FlagId, user: usize) -> Override {
    let entity =
        (EntityType::new("user").expect("a type"), EntityId::new(format!("u{user}")).expect("an id"));
    Override::new(flag_id, entity.0, entity.1, true)
}

#[divan::bench(args = ["static", "one-rule", "two-conditions"], sample_size = 1_000)]
fn decide_one_of_1003(bencher: Bencher<'_, '_>, key: &str) {
    let ruleset = compile((0..1_000).map(|n| flag(n).into()).chain(three())).build();
    let context = ann();
    bencher.bench(|| ruleset.evaluator(black_box(&context), AT).boolean(black_box(key), false));
}

#[divan::bench(args = ["static", "one-rule", "two-conditions"], sample_size = 1_000)]
fn decide_one_of_10003(bencher: Bencher<'_, '_>, key: &str) {
    let ruleset = compile((0..MANY).map(five_rules).chain(three())).build();
    let context = ann();
    bencher.bench(|| ruleset.evaluator(black_box(&context), AT).boolean(black_box(key), false));
}

#[divan::bench]
fn decide_all_of_1000_of_three_rules(bencher: Bencher<'_, '_>) {
    decide_all(bencher, &compile((0..1_000).map(|n| flag(n).into())).build());
}

/// A third of them static, a third with one rule, a third with two conditions and a percentage.
#[divan::bench]
fn decide_all_of_1000_small_ones(bencher: Bencher<'_, '_>) {
    decide_all(bencher, &compile((0..1_000).map(|n| shape(&format!("flag-{n:06}"), n % 3))).build());
}

fn decide_all(bencher: Bencher<'_, '_>, ruleset: &Ruleset) {
    let context = ann();
    bencher.bench(|| {
        ruleset
            .evaluator(black_box(&context), AT)
            .all()
            .filter(|(_, decision)| decision.value.and_then(flags_engine::Answer::as_bool) == Some(true))
            .count()
    });
}

/// The records are there already; the time is that of compiling alone.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn compile_10000_flags_of_five_rules(bencher: Bencher<'_, '_>) {
    let flags: Vec<Arc<Flag>> = (0..MANY).map(five_rules).collect();
    bencher.bench(|| compile(black_box(&flags).iter().cloned()).build());
}

#[divan::bench]
fn edit_one_flag_of_10000(bencher: Bencher<'_, '_>) {
    let ruleset = compile((0..MANY).map(five_rules)).build();
    let changed = five_rules(MANY / 2);
    bencher
        .with_inputs(|| Arc::new((*changed).clone()))
        .bench_values(|changed| ruleset.edit().flag(changed).build());
}

/// All of them are of one flag.
#[divan::bench(args = [1_000, 100_000, 1_000_000], sample_count = 20)]
fn edit_one_override_of(bencher: Bencher<'_, '_>, overrides: usize) {
    let flag = five_rules(0);
    let builder = compile([Arc::clone(&flag)]);
    let ruleset =
        (0..overrides).fold(builder, |builder, user| builder.flag_override(record(flag.id, user))).build();
    let changed = Arc::new(record(flag.id, overrides / 2));
    bencher.bench(|| ruleset.edit().flag_override(Arc::clone(&changed)).build());
}

/// Half of them have a parent. All chains are followed anew, the conditions of one alone are compiled.
#[divan::bench(args = [100, 10_000])]
fn edit_one_segment_of(bencher: Bencher<'_, '_>, segments: usize) {
    let mut parent = None;
    let records = (0..segments).map(|n| {
        let mut segment = Segment::new(SegmentName::new(format!("segment {n}")).expect("a name"));
        segment.conditions.push(Condition::new("country", "in", ["NL", "BE", "LU"]));
        segment.parent_segment_id = parent.take_if(|_| n % 2 == 1);
        parent = Some(segment.id);
        Arc::new(segment)
    });
    let records: Vec<Arc<Segment>> = records.collect();
    let builder = Ruleset::builder(Semantics::Compat);
    let ruleset = records.iter().cloned().fold(builder, RulesetBuilder::segment).build();
    let changed = &records[segments / 2];
    bencher
        .with_inputs(|| Arc::new((**changed).clone()))
        .bench_values(|changed| ruleset.edit().segment(changed).build());
}

/// The records are there already.
#[divan::bench(args = [100_000], sample_count = 5, sample_size = 1)]
fn compile_overrides(bencher: Bencher<'_, '_>, overrides: usize) {
    let flag = five_rules(0);
    let records: Vec<Arc<Override>> = (0..overrides).map(|user| record(flag.id, user).into()).collect();
    bencher.bench(|| {
        let builder = compile([Arc::clone(&flag)]);
        records.iter().cloned().fold(builder, RulesetBuilder::flag_override).build()
    });
}
