//! The origin: the Redis backend of Python's litestar-flags in a process of its own, to share a store with.
//!
//! `FLAGS_TEST_ORIGIN_PYTHON` names the interpreter; `cargo xtask test` sets it, and makes the environment
//! where there is none.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How long the interpreter may take to import the backend and connect.
const READY: Duration = Duration::from_secs(60);
/// How long a call may take.
const CALL: Duration = Duration::from_secs(20);

const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/origin/driver.py");

/// A running backend of the origin. Its calls block: a test whose server is reached through a task of its
/// own, such as [`Proxy`](crate::proxy::Proxy), needs a runtime of several threads.
#[derive(Debug)]
pub struct Origin {
    process: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
    offered: BTreeSet<String>,
    called: BTreeSet<String>,
}

/// What a call of the origin raised.
#[derive(Debug)]
pub struct Raised {
    /// The class of the exception.
    pub class: String,
    /// Its text.
    pub message: String,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the origin raised {}: {}", self.class, self.message)
    }
}

impl std::error::Error for Raised {}

impl Origin {
    /// Starts one on that server, under that prefix.
    pub fn start(url: &str, prefix: &str) -> Result<Self> {
        let python = std::env::var("FLAGS_TEST_ORIGIN_PYTHON").context(
            "FLAGS_TEST_ORIGIN_PYTHON is not set: it names a Python interpreter that imports litestar-flags 0.2.2; \
             `cargo xtask test` makes one and sets it",
        )?;
        let mut process = Command::new(&python)
            .args([DRIVER, url, prefix])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {python}, which FLAGS_TEST_ORIGIN_PYTHON names"))?;
        let requests = process.stdin.take().context("no standard input")?;
        let lines = BufReader::new(process.stdout.take().context("no standard output")?).lines();
        let (sender, answers) = channel();
        // Ends with the process, or when nobody listens any more.
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let (offered, called) = (BTreeSet::new(), BTreeSet::new());
        let mut origin = Self { process, requests, answers, offered, called };
        origin.offered = serde_json::from_value(origin.answer(READY)?)?;
        Ok(origin)
    }

    /// Calls a method with these arguments. A record is a string, the JSON that is stored of it. An exception
    /// is [`Raised`].
    pub fn call(&mut self, method: &str, args: &[Value]) -> Result<Value> {
        self.called.insert(method.to_owned());
        let mut line = vec![json!(method)];
        line.extend_from_slice(args);
        writeln!(self.requests, "{}", Value::Array(line)).context("the origin is gone")?;
        self.answer(CALL).with_context(|| format!("{method} of the origin"))
    }

    fn answer(&mut self, within: Duration) -> Result<Value> {
        let line = match self.answers.recv_timeout(within) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => bail!("no answer within {within:?}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the process ended; its last words are above"),
        };
        let mut answer: Value = serde_json::from_str(&line)?;
        match answer.get_mut("raised") {
            Some(raised) => {
                let (class, message) = serde_json::from_value(raised.take())?;
                Err(Raised { class, message }.into())
            }
            None => Ok(answer["result"].take()),
        }
    }

    /// A method that writes a record; returns what it says was written.
    pub fn write<T: Serialize + DeserializeOwned>(&mut self, method: &str, record: &T) -> Result<T> {
        parsed(self.call(method, &[json!(serde_json::to_string(record)?)])?)
    }

    /// A method that reads one record.
    pub fn one<T: DeserializeOwned>(&mut self, method: &str, args: &[Value]) -> Result<Option<T>> {
        match self.call(method, args)? {
            Value::Null => Ok(None),
            text => parsed(text).map(Some),
        }
    }

    /// A method that reads many.
    pub fn all<T: DeserializeOwned>(&mut self, method: &str, args: &[Value]) -> Result<Vec<T>> {
        let found = match self.call(method, args)? {
            Value::Array(found) => found,
            Value::Object(found) => found.into_iter().map(|(_, text)| text).collect(),
            other => bail!("{method} answered {other}"),
        };
        found.into_iter().map(parsed).collect()
    }

    /// A method that answers yes or no.
    pub fn ask(&mut self, method: &str, args: &[Value]) -> Result<bool> {
        self.call(method, args)?.as_bool().with_context(|| format!("{method} answered neither yes nor no"))
    }

    /// What Python makes of a JSON text, as Python writes it.
    pub fn repr(&mut self, json: &str) -> Result<String> {
        Ok(serde_json::from_value(self.call("repr", &[json!(json)])?)?)
    }

    /// The methods that it has and that were not called.
    pub fn uncalled(&self) -> Vec<&str> {
        self.offered.difference(&self.called).map(String::as_str).collect()
    }

    /// How many methods it has.
    pub fn offers(&self) -> usize {
        self.offered.len()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn parsed<T: DeserializeOwned>(text: Value) -> Result<T> {
    let text: String = serde_json::from_value(text)?;
    serde_json::from_str(&text).with_context(|| format!("from the origin: {text}"))
}
