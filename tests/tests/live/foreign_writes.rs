//! What the origin writes, in Python, a client here decides by; and both decide alike.

use std::time::Duration;

use anyhow::Result;
use flags_client::{Client, Freshness, Startup};
use flags_core::{Condition, EntityId, EntityType, Flag, FlagKey, Override, Rule, Timestamp};
use flags_engine::{ErrorCode, EvaluationContext, Reason};
use flags_redis::Driver;
use flags_tests::live::user;
use flags_tests::origin::Origin;
use flags_tests::server::{Shared, patient, unique_prefix};
use flags_tests::wait::{BOUND, until};
use serde_json::{Value, json};

const KEY: &str = "new-checkout";

fn dutch(id: &str) -> EvaluationContext {
    EvaluationContext::builder().targeting_key(id).user_id(id).country("NL").build()
}

/// What the client answers, in the form of the origin's driver.
fn ours(client: &Client, user: &EvaluationContext) -> Value {
    let details = client.bool_details(KEY, false, user);
    json!({"value": details.value, "reason": details.reason.as_str(), "variant": details.variant})
}

/// A hundred users of two countries get the same answer, and the same reason, from both.
fn agree(client: &Client, origin: &mut Origin) -> Result<usize> {
    let mut on = 0;
    for n in 0..100 {
        let id = format!("user-{n}");
        let (context, mut theirs) = match n % 2 {
            0 => (dutch(&id), json!({"targeting_key": id, "user_id": id, "country": "NL"})),
            _ => (user(&id), json!({"targeting_key": id, "user_id": id})),
        };
        theirs = origin.call("decide", &[json!(KEY), theirs])?;
        let ours = ours(client, &context);
        assert_eq!(ours, theirs, "{id}");
        on += usize::from(ours["value"] == json!(true));
    }
    Ok(on)
}

async fn the_origin_is_followed(driver: Driver) -> Result<()> {
    let server = Shared::get()?;
    let prefix = unique_prefix();
    let mut origin = Origin::start(&server.url(), &prefix)?;
    let storage = patient(&server.url())?.driver(driver).prefix(&prefix).open().await?;
    let start = Client::builder(std::sync::Arc::new(storage)).startup(Startup::Wait { deadline: BOUND });
    let client = start.start().await?;
    until("it follows", async || Ok(client.freshness() == Freshness::Fresh)).await?;
    let (ann, bob) = (user("ann"), dutch("bob"));
    assert_eq!(client.bool_details(KEY, true, &ann).error_code, Some(ErrorCode::FlagNotFound));

    let mut flag = Flag::new(FlagKey::new(KEY)?);
    flag.rules = vec![Rule::new("benelux").when(Condition::new("country", "in", ["NL", "BE"]))];
    flag = origin.write("create_flag", &flag)?;
    until("a created flag decides", async || {
        let details = client.bool_details(KEY, false, &bob);
        Ok(details.value && details.reason == Reason::TargetingMatch)
    })
    .await?;
    assert!(!client.bool_value(KEY, true, &ann));
    assert_eq!(agree(&client, &mut origin)?, 50);

    flag.default_enabled = true;
    flag.rules[0].rollout_percentage = Some(30);
    flag.rules[0].serve_enabled = false;
    flag = origin.write("update_flag", &flag)?;
    until("an updated flag decides", async || Ok(client.bool_value(KEY, false, &ann))).await?;
    let on = agree(&client, &mut origin)?;
    assert!((51..100).contains(&on), "a part of the Dutch is off: {on}");

    let (kind, id) = (EntityType::new("user")?, EntityId::new("ann")?);
    let mut excepted = Override::new(flag.id, kind, id, false);
    origin.write("create_override", &excepted)?;
    until("an override decides", async || Ok(!client.bool_value(KEY, true, &ann))).await?;
    assert_eq!(client.bool_details(KEY, true, &ann).reason, Reason::Override);
    assert!(origin.ask("delete_override", &[json!(flag.id), json!("user"), json!("ann")])?);
    until("a deleted override does not", async || Ok(client.bool_value(KEY, false, &ann))).await?;

    // One that ends by itself, to the instant that it says, without any writer.
    excepted.expires_at = Some(Timestamp::now().saturating_add(Duration::from_secs(3)));
    excepted = origin.write("create_override", &excepted)?;
    let expiry = excepted.expires_at.expect("it has one");
    until("it decides while it lives", async || {
        Ok(!client.bool_value(KEY, true, &ann) || Timestamp::now() >= expiry)
    })
    .await?;
    until("it does not any more", async || Ok(client.bool_value(KEY, false, &ann))).await?;
    // The server may end it a second early: the origin gives it whole seconds.
    let early = expiry.saturating_since(Timestamp::now());
    assert!(early <= Duration::from_secs(1), "{early:?} early");
    agree(&client, &mut origin)?;

    assert!(origin.ask("delete_flag", &[json!(KEY)])?);
    until("a deleted flag is unknown", async || {
        Ok(client.bool_details(KEY, false, &ann).error_code == Some(ErrorCode::FlagNotFound))
    })
    .await?;
    // The last flag was deleted, which is not a store that lost everything.
    assert_eq!(client.freshness(), Freshness::Fresh);
    Ok(())
}

#[tokio::test]
async fn the_origin_is_followed_over_redis_rs() -> Result<()> {
    the_origin_is_followed(Driver::RedisRs).await
}

#[tokio::test]
async fn the_origin_is_followed_over_fred() -> Result<()> {
    the_origin_is_followed(Driver::Fred).await
}
