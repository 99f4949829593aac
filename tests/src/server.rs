//! Redis servers for tests.
//!
//! Looked for in this order: an image in `FLAGS_TEST_REDIS_CONTAINER`, the URL in `FLAGS_TEST_REDIS_URL`, the
//! binary in `FLAGS_TEST_REDIS_SERVER`, `redis-server` and `valkey-server` on the `PATH`, a container of a
//! public image. A binary is started on an unused loopback port (another one, when somebody takes it first),
//! in a directory of its own, without persistence, and killed when it is dropped. Tests of a process share
//! one ([`Shared`]), each under a prefix of its own.

mod container;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use flags_redis::{Driver, RedisBuilder, RedisStorage};
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use uuid::Uuid;

pub use container::Container;

/// How long a server may take to answer.
const READY: Duration = Duration::from_secs(10);
/// How often another port is tried.
const ATTEMPTS: usize = 5;
/// Below the ports that systems give to outgoing connections, one of which might otherwise have it by the
/// time that the server binds it.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A server of the test's own, to freeze, restart or fill as it likes.
#[derive(Debug)]
pub struct Server {
    port: u16,
    process: Option<Child>,
    dir: TempDir,
    args: Vec<String>,
    frozen: AtomicBool,
}

/// What a server is to be: how its port is chosen, and what it reads and rewrites.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Role<'a> {
    pub(crate) port: fn() -> Result<u16>,
    /// The text of a configuration file, which the server then keeps its state in.
    pub(crate) config: Option<&'a str>,
}

const CONFIG: &str = "server.conf";
const LOG: &str = "log";

impl Server {
    /// Starts one; it also listens on [`socket`](Self::socket).
    pub fn start(args: &[&str]) -> Result<Self> {
        Self::start_with(|| Ok(args.iter().map(ToString::to_string).collect()))
    }

    /// Starts one; the arguments are made anew for each attempt, for those that name a port.
    pub fn start_with(args: impl Fn() -> Result<Vec<String>>) -> Result<Self> {
        Self::start_as(Role { port: unused_port, config: None }, args)
    }

    pub(crate) fn start_as(role: Role<'_>, args: impl Fn() -> Result<Vec<String>>) -> Result<Self> {
        let mut attempt = 1;
        loop {
            let (port, dir) = ((role.port)()?, tempfile::tempdir()?);
            if let Some(config) = role.config {
                std::fs::write(dir.path().join(CONFIG), config)?;
            }
            let mut server = Self { port, process: None, dir, args: args()?, frozen: AtomicBool::new(false) };
            match server.run() {
                Ok(()) => return Ok(server),
                // Somebody may have been faster to bind the port.
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The value of the argument after that name.
    pub fn arg(&self, name: &str) -> Option<&str> {
        let at = self.args.iter().position(|arg| arg == name)?;
        self.args.get(at + 1).map(String::as_str)
    }

    /// Starts it again after [`stop`](Self::stop), at the same port and in the same directory: empty, unless
    /// its arguments make it persist its data.
    pub fn run(&mut self) -> Result<()> {
        let binary = binary()?;
        let config = self.dir.path().join(CONFIG);
        let process = Command::new(&binary)
            .args(config.exists().then_some(config))
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(["--unixsocket", &self.socket()])
            .args(&self.args)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(self.dir.path().join(LOG))?)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {binary}"))?;
        self.process = Some(process);
        let begun = Instant::now();
        while !self.answers() {
            if let Some(status) = self.process.as_mut().map(Child::try_wait).transpose()?.flatten() {
                bail!("{binary} ended at once ({status}) with {:?}: {}", self.args, self.last_words());
            }
            if begun.elapsed() > READY {
                bail!("{binary} did not answer within {READY:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Asked by the socket, which nobody else has: another server may be at the port. A server binds its
    /// ports before its socket.
    #[cfg(unix)]
    fn answers(&self) -> bool {
        let Ok(stream) = std::os::unix::net::UnixStream::connect(self.socket()) else {
            return false;
        };
        stream.set_read_timeout(Some(READY)).is_ok() && pings(stream)
    }

    #[cfg(not(unix))]
    fn answers(&self) -> bool {
        let Ok(stream) = std::net::TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        stream.set_read_timeout(Some(READY)).is_ok() && pings(stream)
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.dir.path().join(LOG)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        self.frozen.store(false, Ordering::Relaxed);
    }

    /// Stops its process where it is: connections stay, and nothing answers.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")?;
        self.frozen.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")?;
        self.frozen.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether it runs, as far as this test has let it.
    pub fn is_up(&self) -> bool {
        self.process.is_some() && !self.frozen.load(Ordering::Relaxed)
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) -> Result<()> {
        let process = self.process.as_ref().context("the server is not running")?;
        let status = Command::new("kill").arg(format!("-{name}")).arg(process.id().to_string()).status()?;
        anyhow::ensure!(status.success(), "kill -{name} failed");
        Ok(())
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its Unix socket.
    pub fn socket(&self) -> String {
        self.dir.path().join("s").display().to_string()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn pings(mut stream: impl Read + Write) -> bool {
    // A server that asks for a password answers as well.
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

/// A loopback port that nobody listens at.
pub fn unused_port() -> Result<u16> {
    port_where(PORTS, is_unused)
}

/// How far above its port a cluster node listens to the others. Redis 6.2 lets nobody choose.
const BUS: u16 = 10_000;

/// A port for a cluster node, whose bus port is unused as well.
pub(crate) fn unused_cluster_port() -> Result<u16> {
    port_where(PORTS.start..PORTS.end - BUS, |port| is_unused(port) && is_unused(port + BUS))
}

fn port_where(range: std::ops::Range<u16>, good: impl Fn(u16) -> bool) -> Result<u16> {
    let found = (0..100).map(|_| fastrand::u16(range.clone())).find(|port| good(*port));
    found.with_context(|| format!("no port is free in {range:?}"))
}

fn is_unused(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// The driver of a test program, of which some are built once for each: by its name, as
/// `env!("CARGO_CRATE_NAME")` says it.
pub fn driver_of(program: &str) -> Driver {
    if program.ends_with("_fred") { Driver::Fred } else { Driver::RedisRs }
}

/// A store at that URL that waits for long: on a busy machine the timeouts meant for production would be what
/// is tested.
pub fn patient(url: &str) -> flags_core::Result<RedisBuilder> {
    let builder = RedisStorage::builder(url)?;
    Ok(builder.connect_timeout(READY).command_timeout(READY).deadline(READY))
}

/// A plain client at that URL that waits for long.
pub async fn raw(url: &str) -> Result<MultiplexedConnection> {
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(READY))
        .set_response_timeout(Some(READY));
    Ok(redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?)
}

/// The server binary, or how to get one.
pub fn binary() -> Result<String> {
    if let Ok(binary) = std::env::var("FLAGS_TEST_REDIS_SERVER") {
        return Ok(binary);
    }
    for name in ["redis-server", "valkey-server"] {
        let found = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_ok_and(|status| status.success()) {
            return Ok(name.to_owned());
        }
    }
    bail!(
        "no Redis server to start: install one (apt install redis-server, brew install redis), or set \
         FLAGS_TEST_REDIS_SERVER to a redis-server or valkey-server binary; `cargo xtask test` does it by itself. A URL or a \
         container is not enough for this test, which needs a process of its own to freeze, kill or configure"
    )
}

/// A server that tests use side by side.
#[derive(Debug, Clone)]
pub enum Shared {
    /// One of somebody else's, by URL.
    Given(String),
    /// Ours. Killed when the last test that uses it is done.
    Started(Arc<Server>),
    /// Ours, in a container. Removed when the last test that uses it is done.
    Contained(Arc<Container>),
}

/// Statics are never dropped, so these do not keep the servers alive.
static STARTED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static CONTAINED: Mutex<Weak<Container>> = Mutex::new(Weak::new());

impl Shared {
    /// The server that the tests of this process share.
    pub fn get() -> Result<Self> {
        let variable = |name| std::env::var(name).ok();
        if let Some(image) = variable(container::VARIABLE) {
            return one_of(&CONTAINED, || Container::start(&image)).map(Self::Contained);
        }
        if let Some(url) = variable("FLAGS_TEST_REDIS_URL") {
            return Ok(Self::Given(url));
        }
        match binary() {
            Ok(_) => one_of(&STARTED, || Server::start(&[])).map(Self::Started),
            Err(none) => one_of(&CONTAINED, || Container::start("1")).map(Self::Contained).context(none),
        }
    }

    /// Its URL, without parameters.
    pub fn url(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Started(server) => server.url(),
            Self::Contained(container) => container.url(),
        }
    }

    /// Whether tests may make users there, and whatever else concerns the whole server.
    pub fn is_ours(&self) -> bool {
        !matches!(self, Self::Given(_))
    }
}

/// The one that somebody has, or a new one.
fn one_of<T>(shared: &Mutex<Weak<T>>, start: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return Ok(server);
    }
    let server = Arc::new(start()?);
    *shared = Arc::downgrade(&server);
    Ok(server)
}

/// A prefix that no other test has.
pub fn unique_prefix() -> String {
    format!("test-{}:", Uuid::new_v4())
}
