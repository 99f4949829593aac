//! Stores, clients, and records to follow.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use flags_client::{Client, ClientBuilder, Startup};
use flags_core::{EntityId, EntityType, Flag, FlagId, FlagKey, FlagType, Json, Override};
use flags_redis::{Driver, RedisStorage};
use flags_tests::server::patient;
use flags_tests::wait::BOUND;

pub(crate) const PREFIX: &str = "ff:";

/// A store that waits for long.
pub(crate) async fn store(url: &str, driver: Driver) -> Result<Arc<RedisStorage>> {
    Ok(Arc::new(patient(url)?.driver(driver).prefix(PREFIX).open().await?))
}

/// A store that takes a server that is silent for a second or two for gone.
pub(crate) async fn wary(url: &str, driver: Driver) -> Result<Arc<RedisStorage>> {
    let builder = patient(url)?.driver(driver).prefix(PREFIX);
    let builder = builder.connect_timeout(Duration::from_secs(1)).command_timeout(Duration::from_secs(1));
    Ok(Arc::new(builder.deadline(Duration::from_secs(3)).open().await?))
}

/// A client that tries again soon.
pub(crate) fn client(storage: Arc<RedisStorage>) -> ClientBuilder {
    Client::builder(storage)
        .startup(Startup::Wait { deadline: BOUND })
        .retry_delays(Duration::from_millis(20), Duration::from_millis(200))
}

/// A flag that answers that text.
pub(crate) fn text_flag(key: &str, value: &str) -> Flag {
    let mut flag = Flag::new(FlagKey::new(key).expect("a key"));
    flag.flag_type = FlagType::String;
    flag.default_value = Some(value.into());
    flag
}

/// A flag that answers that number.
pub(crate) fn number_flag(key: &str, value: i64) -> Flag {
    let mut flag = Flag::new(FlagKey::new(key).expect("a key"));
    flag.flag_type = FlagType::Number;
    flag.default_value = Some(Json::from(value));
    flag
}

pub(crate) fn override_of(flag: FlagId, user: &str) -> Override {
    let (kind, id) = (EntityType::new("user"), EntityId::new(user));
    Override::new(flag, kind.expect("an entity type"), id.expect("an entity id"), true)
}
