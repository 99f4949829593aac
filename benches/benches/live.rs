//! How long a write takes until a client in another process decides by it, beside a bare PUBLISH that another
//! process receives.
//!
//! `cargo bench -p flags-benches --bench live`; `FLAGS_BENCH_WRITES` is the number of writes, 10,000 unless
//! set. Each write waits until the one before was seen, and takes turns with a PUBLISH, so that both meet the
//! same machine. The times are from before the command is sent until the process that waits for it has
//! decided, or has the message; both processes read one clock.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use flags_client::Client;
use flags_core::storage::{Batch, Expect};
use flags_core::{Flag, FlagKey, FlagType, Json, Storage as _};
use flags_engine::EvaluationContext;
use flags_redis::RedisStorage;
use flags_tests::server::{Shared, unique_prefix};
use futures_util::StreamExt as _;

const KEY: &str = "live";
const READER: &str = "--reader";

fn nanos() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

/// Says on each line how long ago what it sees was sent.
async fn read(url: &str, prefix: &str) -> Result<()> {
    let storage = RedisStorage::builder(url)?.prefix(prefix).open().await?;
    let client = Client::builder(Arc::new(storage)).start().await?;
    let mut events = client.subscribe();
    let mut messages = redis::Client::open(url)?.get_async_pubsub().await?;
    messages.subscribe(prefix).await?;
    let mut messages = messages.into_on_message();
    let nobody = EvaluationContext::default();
    let mut last = client.integer_value(KEY, -1, &nobody);
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    loop {
        let sent: i64 = tokio::select! {
            event = events.next() => {
                event.context("the client ended")?;
                let value = client.integer_value(KEY, -1, &nobody);
                if value == last {
                    continue;
                }
                last = value;
                value
            }
            message = messages.next() => message.context("no more messages")?.get_payload()?,
        };
        writeln!(out, "{}", nanos()? - sent)?;
        out.flush()?;
    }
}

/// The reading process. Killed when it is dropped.
struct Reader {
    process: Child,
    says: BufReader<std::process::ChildStdout>,
}

impl Reader {
    fn start(url: &str, prefix: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args([READER, url, prefix]).stdout(Stdio::piped()).spawn()?;
        let says = BufReader::new(process.stdout.take().context("no standard output")?);
        let mut reader = Self { process, says };
        ensure!(reader.line()? == "ready", "the reader did not start");
        Ok(reader)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.says.read_line(&mut line)? > 0, "the reader ended");
        Ok(line.trim_end().to_owned())
    }

    fn took(&mut self) -> Result<Duration> {
        Ok(Duration::from_nanos(self.line()?.parse()?))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn told(what: &str, mut took: Vec<Duration>) -> Result<(Duration, Duration)> {
    took.sort_unstable();
    let at = |thousandths: usize| took.get(took.len() * thousandths / 1_000).copied().context("no times");
    let (p50, p99) = (at(500)?, at(990)?);
    let most = took.last().copied().unwrap_or_default();
    println!("{what:<20} p50 {p50:>9.1?}  p99 {p99:>9.1?}  p99.9 {:>9.1?}  max {most:>9.1?}", at(999)?);
    Ok((p50, p99))
}

async fn write(writes: usize) -> Result<()> {
    let server = Shared::get()?;
    let (url, prefix) = (server.url(), unique_prefix());
    let storage = RedisStorage::builder(&url)?.prefix(&prefix).open().await?;
    let mut flag = Flag::new(FlagKey::new(KEY)?);
    (flag.flag_type, flag.default_value) = (FlagType::Number, Some(Json::from(0)));
    storage.commit(Batch::new().put(flag.clone(), Expect::Absent)).await?;
    let mut raw = flags_tests::server::raw(&url).await?;
    let mut reader = Reader::start(&url, &prefix)?;
    let (mut decisions, mut messages) = (Vec::new(), Vec::new());
    for _ in 0..writes {
        flag.default_value = Some(Json::from(nanos()?));
        storage.commit(Batch::new().put(flag.clone(), Expect::Present)).await?;
        decisions.push(reader.took()?);
        let heard: usize = redis::cmd("PUBLISH").arg(&prefix).arg(nanos()?).query_async(&mut raw).await?;
        ensure!(heard == 1, "{heard} processes heard the message");
        messages.push(reader.took()?);
    }
    println!("{writes} of each");
    let (p50, p99) = told("write to decision", decisions)?;
    let (bare_p50, bare_p99) = told("PUBLISH to message", messages)?;
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    println!("{:<20} p50 {:>8.2}x  p99 {:>8.2}x", "ratio", ratio(p50, bare_p50), ratio(p99, bare_p99));
    Ok(())
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` builds and starts benches too, to see that they start.
    if args.iter().any(|argument| argument == "--test") {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [READER, url, prefix] => runtime.block_on(read(url, prefix)),
        [READER, ..] => bail!("{READER} URL PREFIX"),
        _ => {
            let writes = match std::env::var("FLAGS_BENCH_WRITES") {
                Ok(writes) => writes.parse().context("FLAGS_BENCH_WRITES is a number")?,
                Err(_) => 10_000,
            };
            runtime.block_on(write(writes))
        }
    }
}
