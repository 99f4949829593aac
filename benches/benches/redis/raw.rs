//! The raw client, moving the same bytes and decoding them the same way.

use anyhow::{Context, Result};
use flags_core::{FlagKey, Key, Record};
use redis::aio::MultiplexedConnection;
use redis::{Script, cmd};

/// Judges a revision, writes the value and its index: the least that an honest commit does.
const BARE_COMMIT: &str = "
    local old = redis.call('GET', KEYS[1])
    local before = old and redis.sha1hex(old) or ''
    if before == '' then return redis.error_reply('missing') end
    redis.call('SET', KEYS[1], ARGV[1])
    redis.call('SADD', KEYS[2], ARGV[2])
    return {before, redis.sha1hex(ARGV[1])}
";

pub(crate) struct Raw {
    connection: MultiplexedConnection,
    commit: Script,
}

impl Raw {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        Ok(Self { connection, commit: Script::new(BARE_COMMIT) })
    }

    fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    pub(crate) async fn get_and_decode(&self, prefix: &str, key: &FlagKey) -> Result<Record> {
        let bytes: Vec<u8> =
            cmd("GET").arg(format!("{prefix}flag:{key}")).query_async(&mut self.connection()).await?;
        Ok(Record::decode(&Key::Flag(key.clone()), &bytes)?)
    }

    pub(crate) async fn mget_and_decode(&self, prefix: &str, keys: &[FlagKey]) -> Result<Vec<Record>> {
        let mut mget = cmd("MGET");
        for key in keys {
            mget.arg(format!("{prefix}flag:{key}"));
        }
        let values: Vec<Vec<u8>> = mget.query_async(&mut self.connection()).await?;
        keys.iter()
            .zip(values)
            .map(|(key, bytes)| Ok(Record::decode(&Key::Flag(key.clone()), &bytes)?))
            .collect()
    }

    pub(crate) async fn sort_and_decode(&self, prefix: &str) -> Result<Vec<Record>> {
        let mut sort = cmd("SORT");
        sort.arg(format!("{prefix}flags")).arg("BY").arg("nosort");
        sort.arg("GET").arg("#").arg("GET").arg(format!("{prefix}flag:*"));
        let values: Vec<Vec<u8>> = sort.query_async(&mut self.connection()).await?;
        let pairs = values.chunks_exact(2).map(|pair| {
            let key = FlagKey::new(String::from_utf8(pair[0].clone())?)?;
            Ok(Record::decode(&Key::Flag(key), &pair[1])?)
        });
        pairs.collect()
    }

    pub(crate) async fn bare_script(&self, prefix: &str, key: &FlagKey, bytes: &[u8]) -> Result<Vec<String>> {
        let mut call = self.commit.prepare_invoke();
        call.key(format!("{prefix}flag:{key}")).key(format!("{prefix}flags")).arg(bytes).arg(key.as_str());
        call.invoke_async(&mut self.connection()).await.context("the bare script")
    }

    pub(crate) async fn delete(&self, keys: &[String]) -> Result<usize> {
        Ok(cmd("DEL").arg(keys).query_async(&mut self.connection()).await?)
    }
}
