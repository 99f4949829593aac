//! A TCP proxy that counts what passes, and does to it what networks do.

mod fault;
mod frames;
mod pass;
mod script;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use fault::{At, Fault, Side};

use crate::wait::BOUND;
use script::Script;

/// Stands between a client and a server that speak RESP.
///
/// Bytes that follow each other without an answer in between are one round trip, however many commands they
/// are. Faults are scripted by [`inject`](Self::inject). Dropped, it ends every connection.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
    listening: watch::Receiver<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// What has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How often the client spoke, after an answer or for the first time on its connection.
    pub round_trips: usize,
    /// Commands that began to pass.
    pub commands: u64,
    /// Replies that began to pass; what a server pushes unasked is none.
    pub replies: u64,
    /// Bytes of commands.
    pub request_bytes: u64,
    /// Bytes of replies.
    pub reply_bytes: u64,
}

/// What becomes of new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Passing,
    Refusing,
    Silent,
}

#[derive(Debug)]
struct State {
    target: Mutex<u16>,
    mode: watch::Sender<Mode>,
    script: Mutex<Script>,
    delay_ms: AtomicU64,
    open: watch::Sender<usize>,
    /// Something is kept back.
    holds: watch::Sender<bool>,
}

impl State {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn target(&self) -> MutexGuard<'_, u16> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// A proxy to the server at that loopback port.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = listener.local_addr()?.port();
        let state = Arc::new(State {
            target: Mutex::new(port),
            mode: watch::Sender::new(Mode::Passing),
            script: Mutex::default(),
            delay_ms: AtomicU64::new(0),
            open: watch::Sender::new(0),
            holds: watch::Sender::new(false),
        });
        let (says, listening) = watch::channel(true);
        let task = tokio::spawn(listen(listener, own, Arc::clone(&state), says));
        Ok(Self { port: own, state, listening, task })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The round trips since the last call of this or of [`traffic`](Self::traffic).
    pub fn take(&self) -> usize {
        self.traffic().round_trips
    }

    /// What has passed since the last call of this or of [`take`](Self::take).
    pub fn traffic(&self) -> Traffic {
        std::mem::take(&mut self.state.script().traffic)
    }

    /// Does this once, to the connection in which that point is reached first, counting from now.
    pub fn inject(&self, fault: Fault, at: At) {
        self.state.script().add(fault, at);
    }

    /// How many faults are still to come.
    pub fn pending(&self) -> usize {
        self.state.script().pending()
    }

    /// Lets new connections pass from now on, and forgets the faults that are still to come and the delay.
    /// What a fault did to a connection stays.
    pub async fn heal(&self) -> Result<()> {
        *self.state.script() = Script::default();
        self.delay(Duration::ZERO);
        self.state.mode.send_replace(Mode::Passing);
        let mut listening = self.listening.clone();
        tokio::time::timeout(BOUND, listening.wait_for(|listening| *listening))
            .await
            .context("the proxy cannot listen again")??;
        Ok(())
    }

    /// The next answer of the server reaches nobody, and its connection ends.
    pub fn lose_an_answer(&self) {
        self.inject(Fault::Cut, At::Reply(1));
    }

    /// Every answer comes so much later from now on, in whole milliseconds.
    pub fn delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.state.delay_ms.store(millis, Ordering::SeqCst);
    }

    /// Keeps back what the server answers after so many more bytes, until [`release`](Self::release).
    pub fn hold_after(&self, bytes: u64) {
        self.inject(Fault::Hold, At::Byte(Side::Replies, bytes));
    }

    /// Returns once something is kept back.
    pub async fn held(&self) {
        // The sender lives as long as this.
        let _ = self.state.holds.subscribe().wait_for(|holds| *holds).await;
    }

    /// Lets pass what is kept back.
    pub fn release(&self) {
        self.state.holds.send_replace(false);
    }

    /// New connections go to the server at that loopback port.
    pub fn point_to(&self, port: u16) {
        *self.state.target() = port;
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        *self.state.open.borrow()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts connections while they are not refused. Ends with all of them.
async fn listen(listener: TcpListener, port: u16, state: Arc<State>, says: watch::Sender<bool>) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut mode = state.mode.subscribe();
    loop {
        let now = *mode.borrow_and_update();
        match (now, &listener) {
            (Mode::Refusing, _) => listener = None,
            // Nobody else is given a port that was just used, but its last connections may still be about to
            // end.
            (_, None) => listener = TcpListener::bind(("127.0.0.1", port)).await.ok(),
            _ => {}
        }
        says.send_replace(listener.is_some());
        let retry = listener.is_none() && now != Mode::Refusing;
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(Duration::from_millis(10)), if retry => {}
            Some(client) = accept(listener.as_ref()) => {
                // The refusal may have come between.
                if *state.mode.borrow() != Mode::Refusing {
                    connections.spawn(pass::pass(client, Arc::clone(&state)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<tokio::net::TcpStream> {
    Some(listener?.accept().await.ok()?.0)
}
