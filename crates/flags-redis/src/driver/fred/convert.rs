//! Between the replies of `fred` and ours.

use fred::error::{Error, ErrorKind};
use fred::types::Resp3Frame;

use crate::reply::{Reply, ServerError};

pub(super) fn reply(frame: Resp3Frame) -> Reply {
    match frame {
        Resp3Frame::BlobString { data, .. }
        | Resp3Frame::VerbatimString { data, .. }
        | Resp3Frame::BigNumber { data, .. }
        | Resp3Frame::SimpleString { data, .. }
        | Resp3Frame::ChunkedString(data) => Reply::Bytes(data.into()),
        Resp3Frame::Number { data, .. } => Reply::Int(data),
        Resp3Frame::Boolean { data, .. } => Reply::Int(i64::from(data)),
        Resp3Frame::Double { data, .. } => Reply::Bytes(data.to_string().into_bytes()),
        Resp3Frame::Array { data, .. } => list(data),
        // A list within a reply that begins like a push, which the library takes for one, with a word of its
        // own in front. Under RESP2 there are no others.
        Resp3Frame::Push { data, .. } => list(data.into_iter().skip(1)),
        Resp3Frame::Set { data, .. } => list(data),
        Resp3Frame::SimpleError { data, .. } => Reply::Error(parse(&data)),
        Resp3Frame::BlobError { data, .. } => Reply::Error(parse(&String::from_utf8_lossy(&data))),
        Resp3Frame::Null => Reply::Nil,
        _ => Reply::Odd,
    }
}

fn list(frames: impl IntoIterator<Item = Resp3Frame>) -> Reply {
    Reply::List(frames.into_iter().map(reply).collect())
}

fn parse(text: &str) -> ServerError {
    let (code, message) = text.split_once(' ').unwrap_or((text, ""));
    ServerError::new(code, message)
}

/// What the server said, if it is the server that failed and not the connection. The library keeps the
/// server's words alone, which begin with a code, as its own never do.
pub(super) fn server_error(error: &Error) -> Option<ServerError> {
    let own =
        matches!(error.kind(), ErrorKind::IO | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Tls);
    let code = error.details().split(' ').next().unwrap_or_default();
    let coded = code.len() > 2 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    (!own && coded).then(|| parse(error.details()))
}
