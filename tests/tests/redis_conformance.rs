//! The conformance suite over the Redis backend.

use std::sync::Arc;

use async_trait::async_trait;
use flags_conformance::{Harness, Namespace, Offered};
use flags_core::{BoxError, Key, StorageHandle};
use flags_tests::server::{Shared, patient, raw, unique_prefix};
use redis::aio::MultiplexedConnection;

const PASSWORD: &str = "conformance-s3cret";

struct OverRedis;

struct Store {
    server: Shared,
    prefix: String,
    storage: StorageHandle,
    raw: MultiplexedConnection,
}

async fn open(server: &Shared, prefix: &str) -> Result<StorageHandle, BoxError> {
    let builder = patient(&server.url())?.prefix(prefix);
    // A user of its own, where the server is ours, so that there is a secret to keep.
    let builder = if server.is_ours() { builder.credentials(Some("conformance"), PASSWORD) } else { builder };
    Ok(Arc::new(builder.open().await?))
}

#[async_trait]
impl Harness for OverRedis {
    async fn open(&self) -> Result<Box<dyn Namespace>, BoxError> {
        let server = Shared::get()?;
        let mut raw = raw(&server.url()).await?;
        if server.is_ours() {
            let mut user = redis::cmd("ACL");
            user.arg(&["SETUSER", "conformance", "on", "~*", "+@all"]).arg(format!(">{PASSWORD}"));
            let _: () = user.query_async(&mut raw).await?;
        }
        let prefix = unique_prefix();
        let storage = open(&server, &prefix).await?;
        Ok(Box::new(Store { server, prefix, storage, raw }))
    }
}

#[async_trait]
impl Namespace for Store {
    fn storage(&self) -> StorageHandle {
        Arc::clone(&self.storage)
    }

    async fn second_handle(&self) -> Offered<StorageHandle> {
        open(&self.server, &self.prefix).await.map(Some)
    }

    async fn sibling(&self) -> Offered<StorageHandle> {
        open(&self.server, &format!("{}x:", self.prefix)).await.map(Some)
    }

    async fn reopen(&self) -> Offered<StorageHandle> {
        open(&self.server, &self.prefix).await.map(Some)
    }

    /// What the origin would have written: the value, and the indexes that it keeps itself.
    async fn plant(&self, key: &Key, bytes: &[u8]) -> Offered<()> {
        let (name, index) = match key {
            Key::Flag(key) => (format!("flag:{key}"), Some(("flags", key.to_string()))),
            Key::Override(flag, kind, id) => (format!("override:{flag}:{kind}:{id}"), None),
            Key::ScheduledChange(id) => (format!("schedule:{id}"), Some(("schedules", id.to_string()))),
            Key::TimeSchedule(id) => {
                (format!("time_schedule:{id}"), Some(("time_schedules", id.to_string())))
            }
            Key::RolloutPhase(id) => {
                (format!("rollout_phase:{id}"), Some(("rollout_phases", id.to_string())))
            }
            Key::Segment(id) => (format!("segment:{id}"), Some(("segments", id.to_string()))),
            _ => return Ok(None),
        };
        let owner = serde_json::from_slice::<serde_json::Value>(bytes)
            .ok()
            .and_then(|json| json.get("flag_id")?.as_str().map(str::to_owned));
        let mut commands = redis::pipe();
        commands.set(format!("{}{name}", self.prefix), bytes).ignore();
        if let Some((index, member)) = index {
            commands.sadd(format!("{}{index}", self.prefix), &member).ignore();
            if let Some(owner) = owner {
                commands.sadd(format!("{}{index}:flag:{owner}", self.prefix), &member).ignore();
            }
        }
        let _: () = commands.query_async(&mut self.raw.clone()).await?;
        Ok(Some(()))
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    async fn clean_up(&self) {
        let mut raw = self.raw.clone();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("{}*", self.prefix)).arg("COUNT").arg(1_000);
            let Ok((next, keys)) = scan.query_async::<(u64, Vec<Vec<u8>>)>(&mut raw).await else { return };
            if !keys.is_empty() {
                let _: redis::RedisResult<()> = redis::cmd("DEL").arg(keys).query_async(&mut raw).await;
            }
            cursor = next;
            if cursor == 0 {
                return;
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    // One server for all cases, also where they run one after the other. The cases say what keeps it from starting.
    let _server = Shared::get();
    flags_conformance::main(OverRedis)
}
