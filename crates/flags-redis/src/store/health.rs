//! What the server says of itself.

use std::collections::HashMap;
use std::time::Instant;

use flags_core::Result;
use flags_core::storage::Health;

use super::RedisStorage;
use crate::error::from_useless;
use crate::reply::{Command, Reply};

impl RedisStorage {
    pub(super) async fn check_health(&self) -> Result<Health> {
        let begun = Instant::now();
        let marker = Command::new("HGET").arg(self.keyspace.marker()).arg("format");
        let mut replies = self.read(&[marker, Command::new("INFO")]).await?.into_iter();
        let mut health = Health::answered_after(begun.elapsed());

        let marker = replies.next().unwrap_or(Reply::Nil).optional().map_err(from_useless)?;
        if marker.is_none() {
            health = health.with_warning(
                "the server was emptied since this store was opened: restore the flags, or open the store again to accept it",
            );
        }
        // INFO is often forbidden, and nothing depends on it.
        Ok(match replies.next().unwrap_or(Reply::Nil).text() {
            Ok(info) => described(health, &parse(&info)),
            Err(_) => {
                health.with_warning("the server does not permit INFO, so that its settings are not known")
            }
        })
    }
}

fn parse(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

fn described(mut health: Health, info: &HashMap<&str, &str>) -> Health {
    let field = |name: &str| info.get(name).copied();
    let valkey = field("server_name") == Some("valkey") || field("valkey_version").is_some();
    let version = field("valkey_version").or_else(|| field("redis_version"));
    health = health.with_fact("server", if valkey { "valkey" } else { "redis" });
    for (name, value) in [
        ("version", version),
        ("role", field("role")),
        ("maxmemory_policy", field("maxmemory_policy")),
        ("aof_enabled", field("aof_enabled")),
        ("used_memory_bytes", field("used_memory")),
    ] {
        if let Some(value) = value {
            health = health.with_fact(name, value);
        }
    }
    if field("role").is_some_and(|role| role != "master") {
        health = health.with_warning("the server is a replica: it refuses commits, and its reads may lag");
    }
    if field("maxmemory").is_some_and(|limit| limit != "0")
        && field("maxmemory_policy").is_some_and(|policy| policy != "noeviction")
    {
        health = health.with_warning(
            "the server evicts keys when its memory is full, flags too; set maxmemory-policy to noeviction",
        );
    }
    if field("rdb_last_bgsave_status") == Some("err") || field("aof_last_write_status") == Some("err") {
        health = health.with_warning("the server could not persist its data the last time; look at its disk");
    }
    health
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_of_eviction_and_replicas() {
        let info = "redis_version:7.0.15\r\nrole:slave\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n";
        let health = described(Health::default(), &parse(info));
        assert_eq!(health.warnings.len(), 2, "{health:?}");
        assert!(health.facts.iter().any(|fact| fact.name == "version" && fact.value == "7.0.15"));
    }
}
