//! A TCP proxy that counts round trips, delays answers and loses them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stands between a client and a server, and counts how often the client spoke: bytes that follow each other without
/// an answer in between are one round trip, however many commands they are.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    trips: AtomicUsize,
    lose: AtomicBool,
    delay_ms: AtomicU64,
    answered: AtomicUsize,
    hold: watch::Sender<Hold>,
}

/// From where on answers are kept back.
#[derive(Debug, Default, Clone, Copy)]
struct Hold {
    after: Option<usize>,
    held: bool,
}

impl Proxy {
    /// A proxy to the server at that loopback port.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = listener.local_addr()?.port();
        let state = Arc::new(State::default());
        let passing = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, port, Arc::clone(&passing)));
            }
        });
        Ok(Self { port: own, state, task })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The round trips since the last call.
    pub fn take(&self) -> usize {
        self.state.trips.swap(0, Ordering::SeqCst)
    }

    /// The next answer of the server reaches nobody, and its connection ends.
    pub fn lose_an_answer(&self) {
        self.state.lose.store(true, Ordering::SeqCst);
    }

    /// Every answer comes so much later from now on, in whole milliseconds.
    pub fn delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.state.delay_ms.store(millis, Ordering::SeqCst);
    }

    /// Keeps back what the server answers after so many more bytes, until [`release`](Self::release).
    pub fn hold_after(&self, bytes: usize) {
        let after = Some(self.state.answered.load(Ordering::SeqCst) + bytes);
        self.state.hold.send_replace(Hold { after, held: false });
    }

    /// Returns once an answer is kept back.
    pub async fn held(&self) {
        // The sender lives as long as this.
        let _ = self.state.hold.subscribe().wait_for(|hold| hold.held).await;
    }

    /// Lets every answer pass again.
    pub fn release(&self) {
        self.state.hold.send_replace(Hold::default());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    /// Waits as long as an answer of that length is to be kept back.
    async fn let_pass(&self, length: usize) {
        let answered = self.answered.fetch_add(length, Ordering::SeqCst) + length;
        let passes = |hold: &Hold| hold.after.is_none_or(|after| answered <= after);
        let mut hold = self.hold.subscribe();
        if !passes(&hold.borrow_and_update()) {
            self.hold.send_modify(|hold| hold.held = true);
            let _ = hold.wait_for(passes).await;
        }
    }
}

async fn pass(mut client: TcpStream, port: u16, state: Arc<State>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut speaking = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                if !std::mem::replace(&mut speaking, true) {
                    state.trips.fetch_add(1, Ordering::SeqCst);
                }
                if server.write_all(&up[..length]).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                speaking = false;
                if state.lose.swap(false, Ordering::SeqCst) { return }
                state.let_pass(length).await;
                tokio::time::sleep(Duration::from_millis(state.delay_ms.load(Ordering::SeqCst))).await;
                if client.write_all(&down[..length]).await.is_err() { return }
            }
        }
    }
}
