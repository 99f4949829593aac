//! Five engines decide the same three flags for the same user, in one process.
//!
//! Before anything is measured each of them has to decide rightly: for a user who is in, for one whose
//! attributes do not fit, and for one whom the percentage leaves out.

mod eppo;
mod growthbook;
mod launchdarkly;
mod ours;
mod unleash;

use anyhow::{Context as _, Result, ensure};
use divan::{Bencher, black_box};

/// Everybody; those in the Netherlands; half of those with the plan `pro` in the Benelux.
const FLAGS: [&str; 3] = ["static", "one-rule", "two-conditions"];

/// Whom a decision is for.
#[derive(Debug, Clone)]
struct User {
    key: String,
    country: &'static str,
    plan: &'static str,
}

/// An engine with the three flags loaded.
trait Engine: Sized {
    /// The user as the engine takes it, made once.
    type Context;
    /// What its call returns, all of it.
    type Answer<'a>
    where
        Self: 'a;

    fn new() -> Result<Self>;
    fn context(user: &User) -> Result<Self::Context>;
    /// The call that a user of the library makes.
    fn decide<'a>(&'a self, flag: &'a str, context: &'a Self::Context) -> Self::Answer<'a>;
    fn is_on(answer: &Self::Answer<'_>) -> bool;
}

/// The first user in the Netherlands with the plan `pro` whom the percentage lets in, or leaves out. Engines
/// hash differently, so that each has its own.
fn user<E: Engine>(engine: &E, within: bool) -> Result<User> {
    let mut users = (0..100).map(|n| User { key: format!("user-{n}"), country: "NL", plan: "pro" });
    let fits = |user: &User| {
        let context = E::context(user)?;
        Ok(E::is_on(&engine.decide("two-conditions", &context)) == within)
    };
    users
        .find_map(|user| match fits(&user) {
            Ok(true) => Some(Ok(user)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        })
        .context("half of a hundred users are on either side")?
}

fn check<E: Engine>() -> Result<()> {
    let name = std::any::type_name::<E>();
    let engine = E::new()?;
    let (within, without) = (user(&engine, true)?, user(&engine, false)?);
    let away = User { country: "US", ..within.clone() };
    let free = User { plan: "free", ..within.clone() };
    for (user, expected) in [
        (within, [true, true, true]),
        (without, [true, true, false]),
        (away, [true, false, false]),
        (free, [true, true, false]),
    ] {
        let context = E::context(&user)?;
        let decided = FLAGS.map(|flag| E::is_on(&engine.decide(flag, &context)));
        ensure!(decided == expected, "{name} decides {decided:?} for {user:?}, not {expected:?}");
    }
    let share = (0..2_000)
        .map(|n| E::context(&User { key: format!("user-{n}"), country: "NL", plan: "pro" }))
        .map(|context| Ok(usize::from(E::is_on(&engine.decide("two-conditions", &context?)))))
        .sum::<Result<usize>>()?;
    ensure!((900..1_100).contains(&share), "{name} lets {share} of 2,000 in, not half");
    Ok(())
}

fn main() -> Result<()> {
    check::<ours::Ours>()?;
    check::<eppo::Eppo>()?;
    check::<growthbook::Growthbook>()?;
    check::<launchdarkly::LaunchDarkly>()?;
    check::<unleash::Unleash>()?;
    divan::main();
    Ok(())
}

#[divan::bench(
    types = [ours::Ours, eppo::Eppo, growthbook::Growthbook, launchdarkly::LaunchDarkly, unleash::Unleash],
    args = FLAGS,
    sample_size = 1_000,
)]
fn decide<E: Engine>(bencher: Bencher<'_, '_>, flag: &str) {
    let engine = E::new().expect("it was made before");
    let context = user(&engine, true).and_then(|user| E::context(&user)).expect("it was made before");
    bencher.bench_local(|| engine.decide(black_box(flag), black_box(&context)));
}
