//! What a server carries out, as it says itself (`MONITOR`): an audit that no client can forge.

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::wait::BOUND;

/// Every command of a server from now on, in the order in which they are carried out.
#[derive(Debug)]
pub struct Monitor(BufReader<TcpStream>);

/// A command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// By a script, as part of the command before it.
    pub by_script: bool,
    /// The command and its arguments.
    pub words: Vec<Vec<u8>>,
}

impl Monitor {
    /// Listens to the server at that loopback port.
    pub async fn start(port: u16) -> Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"MONITOR\r\n").await?;
        let mut monitor = Self(BufReader::new(stream));
        let answer = monitor.line().await?;
        ensure!(answer == b"+OK", "MONITOR: {}", String::from_utf8_lossy(&answer));
        Ok(monitor)
    }

    /// The next command.
    pub async fn next(&mut self) -> Result<Seen> {
        let line = self.line().await?;
        parse(&line).with_context(|| format!("MONITOR said {}", String::from_utf8_lossy(&line)))
    }

    async fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = self.0.read_until(b'\n', &mut line);
        let length = tokio::time::timeout(BOUND, read).await.context("the server carries out nothing")??;
        ensure!(length > 0, "the server ended the connection");
        line.truncate(line.trim_ascii_end().len());
        Ok(line)
    }
}

/// `+1700000000.123456 [0 lua] "SET" "key" "va\"lue"`
fn parse(line: &[u8]) -> Result<Seen> {
    let from = line.iter().position(|b| *b == b'[').context("no client")?;
    let to = line.iter().position(|b| *b == b']').context("no end of the client")?;
    let by_script = line[from..to].ends_with(b" lua");
    let (mut words, mut rest) = (Vec::new(), line[to + 1..].iter().copied());
    while let Some(byte) = rest.next() {
        match byte {
            b' ' => {}
            b'"' => words.push(word(&mut rest)?),
            other => bail!("{other} between words"),
        }
    }
    Ok(Seen { by_script, words })
}

fn word(rest: &mut impl Iterator<Item = u8>) -> Result<Vec<u8>> {
    let mut word = Vec::new();
    let mut next = || rest.next().context("a word without an end");
    loop {
        match next()? {
            b'"' => return Ok(word),
            b'\\' => word.push(match next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'a' => 7,
                b'b' => 8,
                b'x' => u8::from_str_radix(std::str::from_utf8(&[next()?, next()?])?, 16)?,
                itself => itself,
            }),
            byte => word.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command() -> Result<()> {
        let seen = parse(br#"+1700000000.123456 [0 lua] "SET" "a\x00\xff" "{\"k\": \"\\n\"}""#)?;
        let words: Vec<Vec<u8>> = vec![b"SET".into(), b"a\0\xff".into(), br#"{"k": "\n"}"#.into()];
        assert_eq!(seen, Seen { by_script: true, words });
        let plain = parse(br#"+1.2 [0 127.0.0.1:5] "ping""#)?;
        assert_eq!(plain, Seen { by_script: false, words: vec![b"ping".into()] });
        assert!(parse(br#"+1.2 [0 lua] "SET"#).is_err());
        Ok(())
    }
}
