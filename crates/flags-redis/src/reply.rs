//! [`Command`] and [`Reply`]: what goes to a server and what comes back, as bytes.

use std::fmt;
use std::sync::Arc;

/// A command with its arguments. `Debug` shows the name alone: arguments hold records.
#[derive(Clone)]
pub(crate) struct Command {
    args: Vec<Arc<Vec<u8>>>,
}

impl Command {
    pub(crate) fn new(name: &str) -> Self {
        Self { args: vec![Arc::new(name.into())] }
    }

    pub(crate) fn arg(mut self, arg: impl Into<Vec<u8>>) -> Self {
        self.args.push(Arc::new(arg.into()));
        self
    }

    pub(crate) fn args<A: Into<Vec<u8>>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| Arc::new(arg.into())));
        self
    }

    /// `MGET`. Its answer is read by [`Reply::values`], since it may go on after the last key.
    pub(crate) fn mget<K: Into<Vec<u8>>>(keys: impl IntoIterator<Item = K>) -> Self {
        let mut command = Self::new("MGET").args(keys);
        // Of a length that no push has, since it begins with what is stored: see `driver::Link::send`. By a
        // key that is asked for anyway, since another one may be on another node.
        if let 4..=6 = command.args.len()
            && let Some(last) = command.args.last().cloned()
        {
            command.args.resize(7, last);
        }
        command
    }

    /// Arguments that are long, and sent more than once.
    pub(crate) fn shared(mut self, args: &[Arc<Vec<u8>>]) -> Self {
        self.args.extend(args.iter().cloned());
        self
    }

    /// Whether that can be its answer, as far as the shape tells. What cannot is the answer to another
    /// command, or not of a Redis.
    pub(crate) fn may_be_answered(&self, reply: &Reply) -> bool {
        use Reply::{Bytes, Int, List, Nil};
        let strings = |items: &[Reply]| items.iter().all(|item| matches!(item, Nil | Bytes(_)));
        let name = self.args.first().map_or(&b""[..], |name| name.as_slice());
        match reply {
            Reply::Error(_) => return true,
            Reply::Odd => return false,
            _ => {}
        }
        match name {
            b"MGET" => matches!(reply, List(items) if items.len() + 1 == self.args.len() && strings(items)),
            b"SORT" => matches!(reply, List(items) if strings(items)),
            b"SCAN" | b"SSCAN" | b"ZSCAN" | b"HSCAN" => {
                matches!(reply, List(items) if matches!(&items[..], [Bytes(_), List(_)]))
            }
            b"TIME" => matches!(reply, List(items) if items.len() == 2 && strings(items)),
            b"CONFIG" | b"CLUSTER" | b"ROLE" | b"WAITAOF" => matches!(reply, List(_)),
            b"EVAL" | b"EVALSHA" => matches!(reply, List(_) | Int(_)),
            b"SENTINEL" => matches!(reply, List(_) | Nil),
            b"GET" | b"HGET" | b"ZSCORE" => matches!(reply, Bytes(_) | Nil),
            b"TYPE" | b"INFO" | b"ASKING" => matches!(reply, Bytes(_)),
            b"SCARD" | b"ZCARD" | b"SISMEMBER" | b"HSETNX" | b"WAIT" => matches!(reply, Int(_)),
            _ => true,
        }
    }

    /// The name alone, for an error.
    pub(crate) fn name(&self) -> String {
        self.args.first().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default()
    }

    /// The name, then the arguments.
    pub(crate) fn parts(&self) -> &[Arc<Vec<u8>>] {
        &self.args
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} and {} arguments)", self.name(), self.args.len().saturating_sub(1))
    }
}

/// An error that the server answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {message}")]
pub(crate) struct ServerError {
    /// The first word: `WRONGTYPE`, `NOAUTH`, `ERR`.
    pub(crate) code: String,
    /// The rest, without the arguments that some servers repeat.
    pub(crate) message: String,
}

impl ServerError {
    pub(crate) fn new(code: &str, message: &str) -> Self {
        // "unknown command 'EVALSHA', with args beginning with: ..." would carry records into logs.
        let message = message.split(", with args beginning with").next().unwrap_or_default();
        Self { code: code.to_owned(), message: message.chars().take(300).collect() }
    }

    /// Whether the server, or what stands in front of it, has no such command.
    pub(crate) fn is_unknown_command(&self) -> bool {
        let words = ["unknown command", "unknown subcommand", "Unknown subcommand", "Unknown Redis command"];
        self.code == "ERR" && words.iter().any(|words| self.message.contains(words))
    }

    /// Whether the server has as many clients as it takes. It says so before it hangs up.
    pub(crate) fn is_full(&self) -> bool {
        self.message.contains("max number of clients")
    }

    /// Whether the server takes no writes from anybody now: a replica, or one that cannot keep what is
    /// written.
    pub(crate) fn takes_no_writes(&self) -> bool {
        matches!(self.code.as_str(), "READONLY" | "MISCONF" | "NOREPLICAS" | "OOM")
    }

    /// Whether the server will not let this user do that.
    pub(crate) fn is_denial(&self) -> bool {
        // Redis 6 wraps what a script was refused in words of its own, under no code that says so.
        let scripted = self.message.contains("can't run this command");
        let by_words = ["AUTH", "denied", "invalid password", "ACL"];
        matches!(self.code.as_str(), "NOAUTH" | "NOPERM" | "WRONGPASS")
            || scripted
            || (self.code == "ERR" && by_words.iter().any(|word| self.message.contains(word)))
    }
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    Nil,
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    Error(ServerError),
    /// Something that no command of ours is answered.
    Odd,
}

/// An answer of a shape that the command does not have.
#[derive(Debug, thiserror::Error)]
#[error("the answer is not {0}")]
pub(crate) struct Unexpected(pub(crate) &'static str);

/// Why an answer is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Useless {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Shape(#[from] Unexpected),
}

impl Reply {
    fn checked(self) -> Result<Self, Useless> {
        match self {
            Self::Error(error) => Err(error.into()),
            other => Ok(other),
        }
    }

    /// Whatever it is, unless it is an error.
    pub(crate) fn done(self) -> Result<(), Useless> {
        self.checked().map(drop)
    }

    pub(crate) fn list(self) -> Result<Vec<Self>, Useless> {
        match self.checked()? {
            Self::List(items) => Ok(items),
            _ => Err(Unexpected("a list").into()),
        }
    }

    pub(crate) fn int(self) -> Result<i64, Useless> {
        match self.checked()? {
            Self::Int(int) => Ok(int),
            Self::Bytes(text) => parse(&text).ok_or_else(|| Unexpected("an integer").into()),
            _ => Err(Unexpected("an integer").into()),
        }
    }

    pub(crate) fn optional(self) -> Result<Option<Vec<u8>>, Useless> {
        match self.checked()? {
            Self::Nil => Ok(None),
            Self::Bytes(bytes) => Ok(Some(bytes)),
            _ => Err(Unexpected("a string").into()),
        }
    }

    pub(crate) fn bytes(self) -> Result<Vec<u8>, Useless> {
        self.optional()?.ok_or_else(|| Unexpected("a string").into())
    }

    pub(crate) fn text(self) -> Result<String, Useless> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// The answer of [`Command::mget`] to so many keys.
    pub(crate) fn values(self, keys: usize) -> Result<Vec<Option<Vec<u8>>>, Useless> {
        let values = self.list()?;
        if values.len() < keys {
            return Err(Unexpected("a value for each key").into());
        }
        values.into_iter().take(keys).map(Self::optional).collect()
    }

    /// What orders a member of a sorted set.
    pub(crate) fn score(self) -> Result<f64, Useless> {
        let text = self.text()?;
        text.parse().map_err(|_| Unexpected("a score").into())
    }

    /// The answer of `TIME`, in microseconds since the Unix epoch.
    pub(crate) fn time(self) -> Result<i64, Useless> {
        let mut parts = self.list()?.into_iter();
        let mut next = || parts.next().unwrap_or(Self::Nil).int();
        Ok(next()?.saturating_mul(1_000_000).saturating_add(next()?))
    }

    /// The answer of `SCAN`, `SSCAN`, `ZSCAN`: the cursor and the items.
    pub(crate) fn cursor(self) -> Result<(Vec<u8>, Vec<Self>), Useless> {
        let mut parts = self.list()?.into_iter();
        let cursor = parts.next().unwrap_or(Self::Nil).bytes()?;
        Ok((cursor, parts.next().unwrap_or(Self::Nil).list()?))
    }
}

fn parse(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_asked_for_by_so_many_keys_that_no_push_is_as_long() {
        for count in 1..10 {
            let keys: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            let asked = Command::mget(keys.clone());
            let asked: Vec<&[u8]> = asked.parts()[1..].iter().map(|part| part.as_slice()).collect();
            assert!(!(3..6).contains(&asked.len()), "{count}");
            assert!(keys.iter().map(String::as_bytes).eq(asked[..count].iter().copied()), "{count}");
            assert!(asked[count..].iter().all(|more| *more == keys[count - 1].as_bytes()), "{count}");
            let values: Vec<Reply> = asked.iter().map(|_| Reply::Nil).collect();
            assert_eq!(Reply::List(values).values(count).unwrap().len(), count);
        }
        assert!(Reply::List(vec![Reply::Nil]).values(2).is_err());
    }

    #[test]
    fn nothing_of_a_record_reaches_an_error_or_a_debug() {
        let error = ServerError::new("ERR", "unknown command 'EVALSHA', with args beginning with: 'secret'");
        assert_eq!(error.to_string(), "ERR unknown command 'EVALSHA'");
        let command = Command::new("SET").arg("key").arg("secret");
        assert_eq!(format!("{command:?}"), "Command(SET and 2 arguments)");
    }
}
