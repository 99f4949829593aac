//! The proxy of the fault tests does what it says, seen by a client that speaks bytes.

use std::time::Duration;

use anyhow::Result;
use flags_tests::proxy::{At, Fault, Proxy, Side, Traffic};
use flags_tests::server::Server;
use flags_tests::wait::{self, BOUND};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const PONG: &[u8] = b"+PONG\r\n";

struct Bed {
    _server: Server,
    proxy: Proxy,
    client: TcpStream,
}

impl Bed {
    async fn new() -> Result<Self> {
        let server = Server::start(&[])?;
        let proxy = Proxy::to(server.port()).await?;
        let client = TcpStream::connect(("127.0.0.1", proxy.port())).await?;
        let mut bed = Self { _server: server, proxy, client };
        bed.client.write_all(PING).await?;
        assert_eq!(bed.read(PONG.len()).await?, PONG);
        bed.proxy.traffic();
        Ok(bed)
    }

    /// Up to so many bytes; fewer at the end of the connection.
    async fn read(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.client).take(length as u64);
        match tokio::time::timeout(BOUND, limited.read_to_end(&mut bytes)).await? {
            // However it ends.
            Ok(_) | Err(_) => Ok(bytes),
        }
    }

    /// Sends three commands, and reads what comes until the connection ends.
    async fn three(&mut self) -> Result<Vec<u8>> {
        self.client.write_all(&PING.repeat(3)).await?;
        self.read(usize::MAX).await
    }

    async fn is_silent(&mut self) -> bool {
        // That nothing comes can only be waited for; a busy machine cannot make it fail.
        tokio::time::timeout(Duration::from_millis(100), self.client.read_u8()).await.is_err()
    }
}

#[tokio::test]
async fn it_counts() -> Result<()> {
    let mut bed = Bed::new().await?;
    bed.client.write_all(&PING.repeat(3)).await?;
    assert_eq!(bed.read(3 * PONG.len()).await?, PONG.repeat(3));
    let (request_bytes, reply_bytes) = (3 * PING.len() as u64, 3 * PONG.len() as u64);
    let passed = Traffic { round_trips: 1, commands: 3, replies: 3, request_bytes, reply_bytes };
    assert_eq!(bed.proxy.traffic(), passed);
    assert_eq!(bed.proxy.traffic(), Traffic::default());
    assert_eq!(bed.proxy.connections(), 1);
    drop(bed.client);
    wait::until("the client is gone", async || Ok(bed.proxy.connections() == 0)).await
}

#[tokio::test]
async fn a_cut_is_where_it_was_asked_for() -> Result<()> {
    let bytes = PONG.len() as u64;
    for (at, arrives) in [
        (At::Command(1), 0..=0),
        // What the server answered to the commands before may still have been on its way.
        (At::Command(3), 0..=2 * bytes),
        (At::Reply(3), 2 * bytes..=2 * bytes),
        (At::Byte(Side::Replies, 10), 10..=10),
        (At::Byte(Side::Requests, 1), 0..=0),
    ] {
        let mut bed = Bed::new().await?;
        bed.proxy.inject(Fault::Cut, at);
        assert!(arrives.contains(&(bed.three().await?.len() as u64)), "{at:?}");
        assert_eq!(bed.proxy.pending(), 0, "{at:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_half_close_lets_the_other_half_go_on() -> Result<()> {
    let mut bed = Bed::new().await?;
    bed.proxy.inject(Fault::HalfClose, At::Command(3));
    // The server answers what it has heard, and then ends as well.
    assert_eq!(bed.three().await?, PONG.repeat(2));

    let mut bed = Bed::new().await?;
    bed.proxy.inject(Fault::HalfClose, At::Reply(1));
    assert_eq!(bed.three().await?, b"");
    bed.proxy.traffic();
    bed.client.write_all(PING).await?;
    wait::until("the command passes", async || Ok(bed.proxy.traffic().commands == 1)).await
}

#[tokio::test]
async fn what_is_lost_does_not_end_the_connection() -> Result<()> {
    for at in [At::Command(2), At::Reply(2)] {
        let mut bed = Bed::new().await?;
        bed.proxy.inject(Fault::Lose, at);
        bed.client.write_all(&PING.repeat(3)).await?;
        assert_eq!(bed.read(PONG.len()).await?, PONG);
        assert!(bed.is_silent().await, "{at:?}");
        assert_eq!(bed.proxy.connections(), 1);
        let replies = bed.proxy.traffic().replies;
        assert_eq!(replies, if at == At::Command(2) { 1 } else { 2 });
    }
    Ok(())
}

#[tokio::test]
async fn what_is_refused_is_refused_until_it_is_healed() -> Result<()> {
    let mut bed = Bed::new().await?;
    bed.proxy.inject(Fault::Refuse, At::Command(1));
    assert_eq!(bed.three().await?, b"");
    wait::until("connections are refused", async || {
        let refused = TcpStream::connect(("127.0.0.1", bed.proxy.port())).await.err();
        Ok(refused.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused))
    })
    .await?;
    bed.proxy.heal().await?;
    bed.client = TcpStream::connect(("127.0.0.1", bed.proxy.port())).await?;
    bed.client.write_all(PING).await?;
    assert_eq!(bed.read(PONG.len()).await?, PONG);
    Ok(())
}

#[tokio::test]
async fn a_blackhole_accepts_and_says_nothing() -> Result<()> {
    let mut bed = Bed::new().await?;
    bed.proxy.inject(Fault::Blackhole, At::Reply(1));
    bed.client.write_all(PING).await?;
    assert!(bed.is_silent().await);
    let old = std::mem::replace(&mut bed.client, TcpStream::connect(("127.0.0.1", bed.proxy.port())).await?);
    bed.client.write_all(PING).await?;
    assert!(bed.is_silent().await);
    bed.proxy.heal().await?;
    assert!(bed.is_silent().await, "a connection that fell in stays there");
    drop(old);
    bed.client = TcpStream::connect(("127.0.0.1", bed.proxy.port())).await?;
    bed.client.write_all(PING).await?;
    assert_eq!(bed.read(PONG.len()).await?, PONG);
    wait::until("the others are closed", async || Ok(bed.proxy.connections() == 1)).await
}

#[tokio::test]
async fn a_delay_is_that_long_and_all_arrives() -> Result<()> {
    let mut bed = Bed::new().await?;
    let delay = Duration::from_millis(50);
    bed.proxy.inject(Fault::Delay(delay), At::Command(2));
    let begun = std::time::Instant::now();
    bed.client.write_all(&PING.repeat(3)).await?;
    assert_eq!(bed.read(3 * PONG.len()).await?, PONG.repeat(3));
    assert!(begun.elapsed() >= delay);
    Ok(())
}

#[tokio::test]
async fn new_connections_go_where_it_points() -> Result<()> {
    let mut bed = Bed::new().await?;
    let other = Server::start(&[])?;
    bed.proxy.point_to(other.port());
    bed.client = TcpStream::connect(("127.0.0.1", bed.proxy.port())).await?;
    bed.client.write_all(b"CONFIG GET port\r\n").await?;
    let port = other.port().to_string();
    let expected = format!("*2\r\n$4\r\nport\r\n${}\r\n{port}\r\n", port.len());
    assert_eq!(bed.read(expected.len()).await?, expected.as_bytes());
    Ok(())
}
