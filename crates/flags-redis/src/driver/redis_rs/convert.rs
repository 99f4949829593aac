//! Between our commands and replies and those of the `redis` crate.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, Pipeline, PushInfo, PushKind, RedisError, RedisResult, Value};

use crate::reply::{Command, Reply, ServerError};

/// Sends the commands as one write. An error of the server is a reply; an error of this function is the
/// connection's.
pub(super) async fn send(
    mut connection: MultiplexedConnection,
    commands: &[Command],
) -> RedisResult<Vec<Reply>> {
    if let [command] = commands {
        return match connection.send_packed_command(&packed(command)).await {
            Ok(value) => Ok(vec![reply(value)]),
            Err(error) => server_error(&error).map(|error| vec![Reply::Error(error)]).ok_or(error),
        };
    }
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(packed(command));
    }
    let values = connection.send_packed_commands(&pipeline, 0, commands.len()).await?;
    Ok(values.into_iter().map(reply).collect())
}

fn packed(command: &Command) -> Cmd {
    let mut cmd = Cmd::new();
    for part in command.parts() {
        cmd.arg(part.as_slice());
    }
    cmd
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nil,
        Value::Int(int) => Reply::Int(int),
        Value::Boolean(yes) => Reply::Int(i64::from(yes)),
        Value::BulkString(bytes) => Reply::Bytes(bytes),
        Value::SimpleString(text) => Reply::Bytes(text.into_bytes()),
        Value::VerbatimString { text, .. } => Reply::Bytes(text.into_bytes()),
        Value::Okay => Reply::Bytes(b"OK".to_vec()),
        Value::Double(number) => Reply::Bytes(number.to_string().into_bytes()),
        Value::Array(values) | Value::Set(values) => Reply::List(values.into_iter().map(reply).collect()),
        Value::ServerError(error) => {
            Reply::Error(ServerError::new(error.code(), error.details().unwrap_or_default()))
        }
        _ => Reply::Odd,
    }
}

/// The keys that a push says have changed, `Some(None)` for all; `None` for another push.
pub(super) fn invalidated(info: PushInfo) -> Option<Option<Vec<Vec<u8>>>> {
    if info.kind != PushKind::Invalidate {
        return None;
    }
    let Some(Value::Array(keys)) = info.data.into_iter().next() else { return Some(None) };
    let keys = keys.into_iter().map(reply).filter_map(|key| match key {
        Reply::Bytes(key) => Some(key),
        _ => None,
    });
    Some(Some(keys.collect()))
}

/// What the server said, if it is the server that failed and not the connection.
pub(super) fn server_error(error: &RedisError) -> Option<ServerError> {
    if let Some(code) = error.code() {
        return Some(ServerError::new(code, error.detail().unwrap_or_default()));
    }
    (error.kind() == ErrorKind::AuthenticationFailed)
        .then(|| ServerError::new("WRONGPASS", "authentication failed"))
}
