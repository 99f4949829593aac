//! What the server says of itself.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flags_core::storage::Health;
use flags_core::{Clock as _, Result, SystemClock, Timestamp};

use super::RedisStorage;
use crate::error::from_useless;
use crate::reply::{Command, Reply};

/// Overrides end by the server's clock and schedules run by the clients', so that more than this is worth a
/// word.
const TOLERATED_CLOCK_DIFFERENCE: Duration = Duration::from_secs(1);
/// How long a replica may be silent. It confirms every second what it has.
const TOLERATED_SILENCE: Duration = Duration::from_secs(10);

impl RedisStorage {
    pub(super) async fn check_health(&self) -> Result<Health> {
        let begun = Instant::now();
        let commands = [
            Command::new("HGET").arg(self.keyspace.marker()).arg("format"),
            Command::new("TIME"),
            Command::new("INFO"),
            Command::new("CONFIG").args(["GET", "save"]),
        ];
        let mut replies = self.read(&commands).await?.into_iter();
        let mut next = || replies.next().unwrap_or(Reply::Nil);
        let latency = begun.elapsed();
        let mut health = Health::answered_after(latency);

        let marked = next().optional().map_err(from_useless)?.is_some();
        if self.unwritable.load(Ordering::Relaxed) {
            health = health.with_warning(
                "nothing could be written when that was tried last; the next commit tries again, and says why it cannot be made",
            );
        } else if !marked {
            health = health.with_warning(
                "the server was emptied since this store was opened: restore the flags, or open the store again to accept it",
            );
        }
        let theirs = next().time().map_err(from_useless)?;
        health = clocks(health, theirs, SystemClock.now(), latency);
        // INFO is often forbidden, and nothing depends on it.
        let Ok(info) = next().text() else {
            return Ok(
                health.with_warning("the server does not permit INFO, so that its settings are not known")
            );
        };
        let info = parse(&info);
        let health = replication(described(health, &info), &info);
        // CONFIG more often still.
        let snapshots = next().list().ok().and_then(|pair| pair.into_iter().nth(1)?.text().ok());
        Ok(persistence(health, &info, snapshots.as_deref()))
    }
}

fn parse(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

/// The server read its clock somewhere within the time that the answer took.
fn clocks(health: Health, theirs_micros: i64, ours: Timestamp, latency: Duration) -> Health {
    let ahead_ms = (theirs_micros - ours.unix_micros()).div_euclid(1_000);
    let health = health.with_fact("clock_ahead_ms", ahead_ms.to_string());
    if Duration::from_millis(ahead_ms.unsigned_abs()) <= TOLERATED_CLOCK_DIFFERENCE + latency {
        return health;
    }
    health.with_warning(format!(
        "the server's clock is {ahead_ms} ms ahead of this machine's (behind, where negative): overrides end by the former and \
         schedules run by the latter; synchronise both"
    ))
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
        ("used_memory_bytes", field("used_memory")),
    ] {
        if let Some(value) = value {
            health = health.with_fact(name, value);
        }
    }
    if field("maxmemory").is_some_and(|limit| limit != "0")
        && field("maxmemory_policy").is_some_and(|policy| policy != "noeviction")
    {
        health = health.with_warning(
            "the server evicts keys when its memory is full, flags too; set maxmemory-policy to noeviction",
        );
    }
    health
}

fn replication(mut health: Health, info: &HashMap<&str, &str>) -> Health {
    let field = |name: &str| info.get(name).copied();
    if field("role").is_some_and(|role| role != "master") {
        health = health.with_warning("the server is a replica: it refuses commits, and its reads may lag");
        if field("master_link_status").is_some_and(|status| status != "up") {
            health = health.with_warning("the replica has lost its primary, and grows stale");
        }
        return health;
    }
    let number = |text: &str| text.parse::<u64>().ok();
    let written = field("master_repl_offset").and_then(number).unwrap_or_default();
    let replicas: Vec<HashMap<&str, &str>> =
        (0..).map_while(|n| field(&format!("slave{n}"))).map(|line| pairs(line)).collect();
    health = health.with_fact("replicas", replicas.len().to_string());
    let confirmed = |replica: &HashMap<&str, &str>| replica.get("offset").copied().and_then(number);
    if let Some(least) = replicas.iter().filter_map(confirmed).min() {
        health = health.with_fact("replication_lag_bytes", written.saturating_sub(least).to_string());
    }
    let is_behind = |replica: &&HashMap<&str, &str>| {
        let silent = replica.get("lag").copied().and_then(number).map(Duration::from_secs);
        replica.get("state") != Some(&"online") || silent.is_some_and(|silent| silent > TOLERATED_SILENCE)
    };
    let behind = replicas.iter().filter(is_behind).count();
    if behind > 0 {
        health = health.with_warning(format!(
            "{behind} of {} replicas do not follow the server: a failover to one of them loses flags",
            replicas.len()
        ));
    }
    health
}

/// `slave0:ip=127.0.0.1,port=7000,state=online,offset=42,lag=1`
fn pairs(line: &str) -> HashMap<&str, &str> {
    line.split(',').filter_map(|pair| pair.split_once('=')).collect()
}

fn persistence(mut health: Health, info: &HashMap<&str, &str>, snapshots: Option<&str>) -> Health {
    let field = |name: &str| info.get(name).copied();
    let how = match (field("aof_enabled"), snapshots) {
        (Some("1"), _) => "aof",
        (_, Some("")) => "none",
        (_, Some(_)) => "snapshots",
        _ => "unknown",
    };
    health = health.with_fact("persistence", how);
    if how == "none" {
        health = health.with_warning(
            "the server keeps nothing on disk: a restart loses every flag; set appendonly to yes, or restore from an export",
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

    fn fact<'a>(health: &'a Health, name: &str) -> Option<&'a str> {
        health.facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.as_str())
    }

    #[test]
    fn warns_of_eviction_and_replicas() {
        let info = "redis_version:7.0.15\r\nrole:slave\r\nmaster_link_status:down\r\nmaxmemory:1000\r\nmaxmemory_policy:allkeys-lru\r\n";
        let info = parse(info);
        let health = replication(described(Health::default(), &info), &info);
        assert_eq!(health.warnings.len(), 3, "{health:?}");
        assert_eq!(fact(&health, "version"), Some("7.0.15"));
    }

    #[test]
    fn warns_of_replicas_that_do_not_follow() {
        let info = "role:master\r\nslave0:ip=::1,port=1,state=online,offset=90,lag=0\r\nslave1:ip=::1,port=2,state=online,offset=100,lag=11\r\n\
                    slave2:ip=::1,port=3,state=wait_bgsave,offset=100,lag=0\r\nmaster_repl_offset:100\r\n";
        let health = replication(Health::default(), &parse(info));
        assert_eq!(
            (fact(&health, "replicas"), fact(&health, "replication_lag_bytes")),
            (Some("3"), Some("10"))
        );
        assert!(health.warnings[0].starts_with("2 of 3"), "{health:?}");
    }

    #[test]
    fn warns_where_nothing_is_kept_on_disk() {
        let health = |info: &str, snapshots| persistence(Health::default(), &parse(info), snapshots);
        for (info, snapshots, how, warnings) in [
            ("aof_enabled:1", Some(""), "aof", 0),
            ("aof_enabled:0", Some("3600 1"), "snapshots", 0),
            ("aof_enabled:0", Some(""), "none", 1),
            ("aof_enabled:0", None, "unknown", 0),
            ("aof_enabled:1\r\naof_last_write_status:err", None, "aof", 1),
        ] {
            let health = health(info, snapshots);
            assert_eq!(
                (fact(&health, "persistence"), health.warnings.len()),
                (Some(how), warnings),
                "{info}"
            );
        }
    }

    #[test]
    fn warns_of_clocks_that_differ() {
        let ours = Timestamp::from_unix_micros(10_000_000).unwrap();
        let health =
            |theirs, latency_ms| clocks(Health::default(), theirs, ours, Duration::from_millis(latency_ms));
        assert_eq!(fact(&health(9_000_000, 0), "clock_ahead_ms"), Some("-1000"));
        assert!(health(9_000_000, 0).warnings.is_empty());
        assert_eq!(health(8_990_000, 0).warnings.len(), 1);
        assert_eq!(health(12_000_000, 0).warnings.len(), 1);
        // The answer took so long that it may be right.
        assert!(health(8_990_000, 100).warnings.is_empty());
    }
}
