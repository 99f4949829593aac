//! Running `flags`, and writing down what it said.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use flags_tests::proxy::Proxy;
use flags_tests::server::{Server, Shared, unique_prefix};

/// The binary under test.
pub(crate) const FLAGS: &str = env!("CARGO_BIN_EXE_flags");

/// A store, and the transcript of what was done with it.
pub(crate) struct Cli {
    store: String,
    prefix: Option<String>,
    /// Keeps the server alive.
    _server: Option<Shared>,
    pub(crate) transcript: String,
}

/// What one run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cli {
    /// On a store by its URL.
    pub(crate) fn on(store: impl Into<String>) -> Self {
        Self { store: store.into(), prefix: None, _server: None, transcript: String::new() }
    }

    /// On a part of the shared Redis server that nobody else uses.
    pub(crate) fn redis() -> Result<Self> {
        let server = Shared::get()?;
        let prefix = Some(unique_prefix());
        Ok(Self { store: server.url(), prefix, _server: Some(server), transcript: String::new() })
    }

    /// On a Redis server of its own of which nobody has anything to say: it keeps what it has on disk.
    pub(crate) fn sound_redis() -> Result<Self> {
        let server = Shared::Started(Arc::new(Server::start(&["--appendonly", "yes"])?));
        let prefix = Some(unique_prefix());
        Ok(Self { store: server.url(), prefix, _server: Some(server), transcript: String::new() })
    }

    /// The URL of its server.
    pub(crate) fn url(&self) -> &str {
        &self.store
    }

    /// On the document that the tests share.
    pub(crate) fn shop() -> Self {
        Self::on(format!("memory:{}/tests/data/shop.json", env!("CARGO_MANIFEST_DIR")))
    }

    /// The same part of the server, by way of a proxy that may keep it waiting for long.
    pub(crate) fn through(&self, proxy: &Proxy) -> Self {
        let store = format!(
            "{}/?command_timeout_ms=600000&deadline_ms=600000&connect_timeout_ms=600000",
            proxy.url()
        );
        Self { store, prefix: self.prefix.clone(), _server: None, transcript: String::new() }
    }

    /// What its keys in Redis begin with.
    pub(crate) fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    /// The command, in the environment of nobody.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(FLAGS);
        self.environment(&mut command);
        command
    }

    /// Points a command at the store.
    pub(crate) fn environment(&self, command: &mut Command) {
        command.env("FLAGS_STORE", &self.store).env("NO_COLOR", "1").env_remove("FLAGS_PREFIX");
        if let Some(prefix) = &self.prefix {
            command.env("FLAGS_PREFIX", prefix);
        }
    }

    /// Runs it, without writing it down.
    pub(crate) fn quiet(&self, args: &[&str], stdin: &str) -> Result<Ran> {
        let mut command = self.command();
        run(command.args(args), stdin)
    }

    /// Runs it with nothing to read.
    pub(crate) fn run(&mut self, line: &str) -> Result<Ran> {
        self.feed(line, "")
    }

    /// Runs it with that on standard input, and writes it down. Words are separated by spaces.
    pub(crate) fn feed(&mut self, line: &str, stdin: &str) -> Result<Ran> {
        let args: Vec<&str> = line.split_whitespace().collect();
        let ran = self.quiet(&args, stdin)?;
        self.transcript.push_str(&format!("$ flags {line}\n"));
        for (sign, text) in [("< ", stdin), ("", &ran.stdout), ("! ", &ran.stderr)] {
            for line in text.lines() {
                self.transcript.push_str(format!("{sign}{line}").trim_end());
                self.transcript.push('\n');
            }
        }
        let code = ran.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        self.transcript.push_str(&format!("= {code}\n\n"));
        Ok(ran)
    }

    /// Runs it, and expects that it says something on standard output alone.
    pub(crate) fn ok(&mut self, line: &str, stdin: &str) -> Result<String> {
        let ran = self.feed(line, stdin)?;
        anyhow::ensure!(ran.code == Some(0), "flags {line}: {ran:?}");
        Ok(ran.stdout)
    }
}

/// Fills a store with flags.
pub(crate) fn many_flags(cli: &Cli, number: usize) -> Result<()> {
    let flags: Vec<String> = (0..number).map(|number| format!(
        r#"{{"id":"00000000-0000-4000-8000-{number:012}","key":"flag-{number}","name":"n","flag_type":"boolean","status":"active","default_enabled":false}}"#
    )).collect();
    let ran = cli.quiet(&["import", "-"], &format!(r#"{{"version":1,"flags":[{}]}}"#, flags.join(",")))?;
    anyhow::ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command, stdin: &str) -> Result<Ran> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    // One that does not read may be gone already.
    let _ = child.stdin.take().context("it has a standard input")?.write_all(stdin.as_bytes());
    let output = child.wait_with_output()?;
    Ok(Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

/// Compares a transcript with the one before; what differs from run to run is left out.
pub(crate) fn snapshot(name: &str, transcript: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/snapshots"));
    for (pattern, name) in [
        (r#"("revision": ?)"[^"]+""#, r#"$1"[revision]""#),
        (r"(?m)^( +revision +)\S+$", "$1[revision]"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[new id]"),
        (r"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", "[now]"),
        (r"202[6-9]-\d\d-\d\d( \d\d:\d\d)?", "[now]"),
        (r"(answered in|latency_ms.:) ?[0-9.]+", "$1 [time]"),
    ] {
        settings.add_filter(pattern, name);
    }
    settings.bind(|| insta::assert_snapshot!(name, transcript));
}
