//! What a client serves, against what its store holds.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use flags_client::{Client, Freshness};
use flags_core::storage::Query;
use flags_core::{FlagKey, Json, Kind, Record, Storage, Timestamp};
use flags_engine::{Answer, EvaluationContext, Ruleset, Semantics};
use futures_util::StreamExt as _;

use crate::wait::until;

/// The rules that a store holds, by a listing of everything.
pub async fn stored(storage: &dyn Storage) -> Result<Ruleset> {
    let mut builder = Ruleset::builder(Semantics::default());
    for kind in [Kind::Override, Kind::TimeSchedule, Kind::Segment, Kind::Flag] {
        let mut listing = storage.list(Query::All(kind));
        while let Some(item) = listing.next().await {
            builder = match item?.record {
                Record::Flag(flag) => builder.flag(flag),
                Record::Override(one) => builder.flag_override(one),
                Record::TimeSchedule(one) => builder.time_schedule(one),
                Record::Segment(segment) => builder.segment(segment),
                other => anyhow::bail!("{} was not asked for", other.key()),
            };
        }
    }
    Ok(builder.build())
}

type Answers = BTreeMap<FlagKey, (Option<Json>, String)>;

fn answers(rules: &Ruleset, user: &EvaluationContext, at: Timestamp) -> Answers {
    let decided = rules.evaluator(user, at);
    let answer = |(key, decision): (&FlagKey, flags_engine::Decision<'_>)| {
        let decision = decision.map(|answer| answer.map(Answer::to_json));
        (key.clone(), (decision.value, format!("{:?}", decision.reason)))
    };
    decided.all().map(answer).collect()
}

/// Fails unless the client serves these rules: the same flags, and for each of these users the same answers.
pub fn same(client: &Client, stored: &Ruleset, users: &[EvaluationContext]) -> Result<()> {
    let (snapshot, at) = (client.snapshot(), Timestamp::now());
    let flags = |rules: &Ruleset| -> BTreeMap<FlagKey, Record> {
        rules.flags().map(|flag| (flag.key.clone(), Record::Flag(flag.clone()))).collect()
    };
    let (ours, theirs) = (flags(snapshot.ruleset()), flags(stored));
    for key in ours.keys().chain(theirs.keys()) {
        ensure!(
            ours.get(key) == theirs.get(key),
            "{key}: served {:?}, stored {:?}",
            ours.get(key),
            theirs.get(key)
        );
    }
    for user in users {
        let (ours, theirs) = (answers(snapshot.ruleset(), user, at), answers(stored, user, at));
        ensure!(ours == theirs, "for {user:?}: served {ours:?}, stored {theirs:?}");
    }
    Ok(())
}

/// Waits until the client says that it is fresh, and serves what the store holds. Nobody may write meanwhile.
pub async fn until_same(client: &Client, storage: &dyn Storage, users: &[EvaluationContext]) -> Result<()> {
    until("the replica is the store", async || {
        ensure!(client.freshness() == Freshness::Fresh, "the client is {:?}", client.freshness());
        same(client, &stored(storage).await?, users)?;
        Ok(true)
    })
    .await
}

/// A user of that id.
pub fn user(id: &str) -> EvaluationContext {
    EvaluationContext::builder().targeting_key(id).user_id(id).build()
}

/// The seed of a random run: a new one, printed, or the one in `FLAGS_TEST_SEED`.
pub fn seed() -> Result<u64> {
    let seed = match std::env::var("FLAGS_TEST_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => fastrand::u64(..),
    };
    println!("to repeat it: FLAGS_TEST_SEED={seed}");
    Ok(seed)
}
