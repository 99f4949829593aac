//! The examples as somebody runs them: started as processes, on a file and on Redis, while their flags
//! change.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use feature_flags::transfer::{Document, ImportMode};
use feature_flags::{ChangeType, FlagKey, FlagStore, Json, ScheduledChange, Timestamp, connect};
use flags_tests::server::{Shared, unique_prefix};
use flags_tests::wait::{BOUND, until};
use tempfile::TempDir;

const FLAGS: &[u8] = include_bytes!("../data/flags.json");
const WEB: &str = env!("CARGO_BIN_EXE_web");
const WORKER: &str = env!("CARGO_BIN_EXE_worker");
const SCHEDULER: &str = env!("CARGO_BIN_EXE_scheduler");

/// An example that runs.
struct Example {
    process: Child,
    lines: Receiver<String>,
}

impl Example {
    fn start(program: &str, store: &str) -> Result<Self> {
        let mut process = Command::new(program)
            .arg(store)
            .env("LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().context("its output")?);
        let (tell, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Ok(Self { process, lines })
    }

    /// Waits until it says that, and answers the whole line.
    fn says(&self, what: &str) -> Result<String> {
        let begun = Instant::now();
        while begun.elapsed() < BOUND {
            let line = self.lines.recv_timeout(BOUND).with_context(|| format!("it never says {what:?}"))?;
            if line.contains(what) {
                return Ok(line);
            }
        }
        bail!("it never says {what:?}")
    }

    /// Asks it to end, as a service manager does.
    fn ends(mut self) -> Result<()> {
        ensure!(Command::new("kill").arg(self.process.id().to_string()).status()?.success(), "it is gone");
        let begun = Instant::now();
        loop {
            match self.process.try_wait()? {
                Some(status) => {
                    ensure!(status.success(), "it ends with {status}");
                    return Ok(());
                }
                None if begun.elapsed() > BOUND => bail!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A store with the flags of the examples.
struct Store {
    url: String,
    flags: FlagStore,
    /// What it is kept in.
    _folder: Option<TempDir>,
    _server: Option<Shared>,
}

impl Store {
    async fn at(url: String, folder: Option<TempDir>, server: Option<Shared>) -> Result<Self> {
        let flags = FlagStore::new(connect(&url).await?);
        flags.import(&Document::from_json(FLAGS)?, ImportMode::Merge).await?;
        Ok(Self { url, flags, _folder: folder, _server: server })
    }

    async fn file() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("file:{}", folder.path().join("flags.json").display());
        Self::at(url, Some(folder), None).await
    }

    async fn redis() -> Result<Self> {
        let server = Shared::get()?;
        let url = format!("{}?prefix={}&deadline_ms=10000", server.url(), unique_prefix());
        Self::at(url, None, Some(server)).await
    }
}

struct Response {
    status: u16,
    body: String,
}

fn request(address: &str, path: &str, country: &str) -> Result<Response> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(BOUND))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-User-Id: ann\r\nX-Country: {country}\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("a response")?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    Ok(Response { status, body: body.to_owned() })
}

async fn web(store: &Store) -> Result<()> {
    let web = Example::start(WEB, &store.url)?;
    let line = web.says("listening on http://")?;
    let address = line.rsplit('/').next().context("an address")?;
    let home = |country| request(address, "/", country);

    let dutch = home("NL")?;
    ensure!(dutch.status == 200 && dutch.body.contains(r#""variant":"benelux""#), "{}", dutch.body);
    ensure!(dutch.body.contains(r#""new_checkout":true"#) && dutch.body.contains(r#""Welcome""#));
    let french = home("FR")?.body;
    ensure!(!french.contains("benelux"), "each request is decided by itself: {french}");
    let health = request(address, "/health", "NL")?;
    ensure!((health.status, health.body.as_str()) == (200, "fresh\n"), "{}", health.body);

    let change = |flag: &mut feature_flags::Flag| {
        flag.default_value = Some(Json::from("Goedemorgen"));
        Ok(())
    };
    store.flags.modify_flag(&FlagKey::new("greeting")?, change).await?;
    until("the greeting changes", || async { Ok(home("NL")?.body.contains("Goedemorgen")) }).await?;

    // A scheduler beside it, which this process knows only by what it does.
    let scheduler = Example::start(SCHEDULER, &store.url)?;
    scheduler.says("executing what is due")?;
    let checkout = store.flags.get_flag(&FlagKey::new("new-checkout")?).await?.context("it is there")?;
    let change = ScheduledChange::new(checkout.id, ChangeType::Disable, Timestamp::UNIX_EPOCH);
    store.flags.create_scheduled_change(change).await?;
    scheduler.says("new-checkout: ")?;
    until("the checkout is off", || async { Ok(home("NL")?.body.contains(r#""reason":"DISABLED""#)) })
        .await?;
    scheduler.ends()?;
    web.ends()
}

async fn worker(store: &Store) -> Result<()> {
    let worker = Example::start(WORKER, &store.url)?;
    worker.says("batch of 10, from job Some(0)")?;
    let change = |flag: &mut feature_flags::Flag| {
        flag.default_value = Some(Json::from(25_i64));
        Ok(())
    };
    store.flags.modify_flag(&FlagKey::new("batch-size")?, change).await?;
    worker.says("batch of 25")?;
    let pause = |on: bool| {
        move |flag: &mut feature_flags::Flag| {
            flag.default_enabled = on;
            Ok(())
        }
    };
    let key = FlagKey::new("pause-worker")?;
    store.flags.modify_flag(&key, pause(true)).await?;
    worker.says("paused")?;
    store.flags.modify_flag(&key, pause(false)).await?;
    worker.says("batch of 25")?;
    worker.ends()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_service_follows_a_file_and_a_scheduler_beside_it() -> Result<()> {
    web(&Store::file().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_service_follows_redis_and_a_scheduler_beside_it() -> Result<()> {
    web(&Store::redis().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_follows_a_file() -> Result<()> {
    worker(&Store::file().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_follows_redis() -> Result<()> {
    worker(&Store::redis().await?).await
}
