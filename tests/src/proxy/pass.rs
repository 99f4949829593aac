//! One connection, from the client to the server and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::fault::{Fault, Side};
use super::frames::Frames;
use super::{Mode, State};

struct Connection {
    state: Arc<State>,
    /// The client has spoken, and was not answered.
    speaking: AtomicBool,
    /// Requests go nowhere, and replies.
    deaf: AtomicBool,
    dumb: AtomicBool,
}

/// Counts an open connection while it lives.
struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

/// Passes on what both say until the connection ends for both.
pub(super) async fn pass(mut client: TcpStream, state: Arc<State>) {
    state.open.send_modify(|open| *open += 1);
    let _open = Open(Arc::clone(&state));
    if *state.mode.borrow() == Mode::Silent {
        // Read, so that the end is noticed.
        while client.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {}
        return;
    }
    let target = *state.target();
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    // A failure would only be slow.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let connection = Connection {
        state,
        speaking: AtomicBool::new(false),
        deaf: AtomicBool::new(false),
        dumb: AtomicBool::new(false),
    };
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    tokio::select! {
        () = connection.pump(Side::Requests, from_client, to_server) => {}
        () = connection.pump(Side::Replies, from_server, to_client) => {}
    }
}

impl Connection {
    /// Passes on one direction. Ends when the connection is to end.
    async fn pump(&self, side: Side, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) {
        let (mut frames, mut bytes) = (Frames::default(), vec![0; 1 << 16]);
        loop {
            let Ok(length @ 1..) = from.read(&mut bytes).await else {
                // Who is not heard has not been heard to end either, until the client gives up.
                if side == Side::Replies && self.is_silenced(side) {
                    std::future::pending::<()>().await;
                }
                return;
            };
            self.spoke(side).await;
            if self.is_silenced(side) {
                continue;
            }
            if self.pass_on(side, &bytes[..length], &mut frames, &mut to).await.is_none() {
                return;
            }
        }
    }

    /// Passes on some bytes of one direction; `None` when the connection is to end.
    async fn pass_on(
        &self,
        side: Side,
        bytes: &[u8],
        frames: &mut Frames,
        to: &mut WriteHalf<'_>,
    ) -> Option<()> {
        let (mut done, mut seen) = (0, 0);
        while seen < bytes.len() {
            let piece = frames.next(&bytes[seen..]);
            let met = self.state.script().meet(side, piece.begins, piece.length);
            if let Some((before, fault)) = met {
                to.write_all(&bytes[done..seen + before]).await.ok()?;
                done = seen + before;
                self.suffer(fault, side, to).await?;
                if self.is_silenced(side) {
                    return Some(());
                }
            }
            seen += piece.length;
        }
        to.write_all(&bytes[done..]).await.ok()
    }

    async fn suffer(&self, fault: Fault, side: Side, to: &mut WriteHalf<'_>) -> Option<()> {
        match fault {
            Fault::Delay(delay) => tokio::time::sleep(delay).await,
            Fault::Cut => return None,
            Fault::Lose => self.silence(side),
            Fault::HalfClose => {
                self.silence(side);
                to.shutdown().await.ok()?;
            }
            Fault::Refuse => {
                self.state.mode.send_replace(Mode::Refusing);
                return None;
            }
            Fault::Blackhole => {
                self.state.mode.send_replace(Mode::Silent);
                self.silence(Side::Requests);
                self.silence(Side::Replies);
            }
        }
        Some(())
    }

    async fn spoke(&self, side: Side) {
        match side {
            Side::Requests => {
                if !self.speaking.swap(true, Ordering::SeqCst) {
                    self.state.script().traffic.round_trips += 1;
                }
            }
            Side::Replies => {
                self.speaking.store(false, Ordering::SeqCst);
                let delay = self.state.delay_ms.load(Ordering::SeqCst);
                if delay > 0 {
                    tokio::time::sleep(Duration::from_millis(delay)).await;
                }
            }
        }
    }

    fn silenced(&self, side: Side) -> &AtomicBool {
        match side {
            Side::Requests => &self.deaf,
            Side::Replies => &self.dumb,
        }
    }

    fn silence(&self, side: Side) {
        self.silenced(side).store(true, Ordering::SeqCst);
    }

    fn is_silenced(&self, side: Side) -> bool {
        self.silenced(side).load(Ordering::SeqCst)
    }
}
