//! The first words on a connection: who we are, and to which database.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::Target;
use crate::reply::{Command, ServerError};

/// No server says more in a line.
const LONGEST: usize = 64 * 1024;

/// Gives name, password and database, and finds out whether anybody is there: a kernel accepts for a server
/// that is frozen. Answers why the server will have none of it.
pub(super) async fn refused(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    target: &Target,
) -> io::Result<Option<ServerError>> {
    let Some(password) = &target.login.password else {
        // A user who may not ask, for instance, is answered nevertheless.
        let refusal = ask(stream, &Command::new("PING")).await?.filter(turns_away);
        return if refusal.is_some() { Ok(refusal) } else { select(stream, target.db).await };
    };
    let auth = Command::new("AUTH").args(target.login.username.clone()).arg(password.reveal());
    let refusal = ask(stream, &auth).await?;
    if refusal.is_some() { Ok(refusal) } else { select(stream, target.db).await }
}

/// Whether the server says that to whoever connects, whatever was asked, and hangs up.
fn turns_away(refusal: &ServerError) -> bool {
    // In protected mode.
    refusal.code == "DENIED" || refusal.is_full()
}

async fn select(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    db: i64,
) -> io::Result<Option<ServerError>> {
    if db == 0 { Ok(None) } else { ask(stream, &Command::new("SELECT").arg(db.to_string())).await }
}

/// A command whose answer is one line. Answers what the server has against it.
async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    command: &Command,
) -> io::Result<Option<ServerError>> {
    let mut bytes = format!("*{}\r\n", command.parts().len()).into_bytes();
    for part in command.parts() {
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    // A server that turns us away has said so before it is asked, and may be gone.
    let written = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    let written = written.await;
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        // Byte by byte, since what comes after it is not ours.
        match stream.read_u8().await {
            Ok(byte) if line.len() < LONGEST => line.push(byte),
            Ok(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not that of a Redis"));
            }
            Err(error) => return written.and(Err(error)),
        }
    }
    let text = String::from_utf8_lossy(&line);
    match text.trim_end().split_at_checked(1) {
        Some(("+", _)) => Ok(None),
        Some(("-", words)) => {
            let (code, message) = words.split_once(' ').unwrap_or((words, ""));
            Ok(Some(ServerError::new(code, message)))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not that of a Redis")),
    }
}
