//! Reading by key: one `MGET`.

use flags_core::storage::{Revision, Stored, check_keys};
use flags_core::{Key, Kind, Record, Result, Timestamp};

use super::RedisStorage;
use crate::error::from_useless;
use crate::reply::{Command, Reply};
use crate::script::sha1_hex;

impl RedisStorage {
    pub(super) async fn get_records(&self, keys: &[Key]) -> Result<Vec<Result<Option<Stored>>>> {
        check_keys(keys, self.descriptor.limits())?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (values, now) = self.fetch(keys).await?;
        Ok(keys
            .iter()
            .zip(values)
            .map(|(key, value)| value.map_or(Ok(None), |bytes| self.decode(key, &bytes, now)))
            .collect())
    }

    /// The values, and the server's time where any of them can expire. One round trip.
    pub(super) async fn fetch(&self, keys: &[Key]) -> Result<(Vec<Option<Vec<u8>>>, Option<Timestamp>)> {
        let mut commands = vec![Command::mget(keys.iter().map(|key| self.keyspace.record(key)))];
        if keys.iter().any(|key| key.kind() == Kind::Override) {
            commands.push(Command::new("TIME"));
        }
        let mut replies = self.read(&commands).await?.into_iter();
        let values = replies.next().unwrap_or(Reply::Nil).values(keys.len()).map_err(from_useless)?;
        Ok((values, now(replies.next())?))
    }

    /// The record that the bytes are, unless it has expired.
    pub(super) fn decode(&self, key: &Key, bytes: &[u8], now: Option<Timestamp>) -> Result<Option<Stored>> {
        let revision = Revision::new(sha1_hex(bytes));
        match Record::decode(key, bytes) {
            Ok(record) if now.is_some_and(|now| record.is_expired(now)) => Ok(None),
            Ok(record) => {
                self.known.met(&record);
                Ok(Some(Stored::new(record, revision)))
            }
            Err(error) => Err(error.with_revision(revision)),
        }
    }
}

/// The answer of `TIME`, where it was asked.
pub(super) fn now(reply: Option<Reply>) -> Result<Option<Timestamp>> {
    let micros = reply.map(Reply::time).transpose().map_err(from_useless)?;
    Ok(micros.and_then(Timestamp::from_unix_micros))
}
