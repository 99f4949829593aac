//! [`RedisBuilder`]: how to connect, and what the store assumes.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use flags_core::{Error, ErrorKind, Result};

use crate::address::{self, Address};
use crate::keyspace::Keyspace;
use crate::net::tls::TlsOptions;
use crate::store::RedisStorage;

/// The prefix of the origin.
const PREFIX: &str = "feature_flags:";

/// Whether programs of the origin write to the same store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Foreign {
    /// They may: their overrides, which are in no index, are found by scanning the keys, all that the
    /// database has. Listings of overrides and deletes of flags take about a second for every few million,
    /// whoever's they are.
    #[default]
    Scan,
    /// They do not: the indexes are complete, and listings and deletes of flags need no scan.
    Index,
}

/// Which client library carries the commands. Both do the same; each is a cargo feature of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Driver {
    /// The crate `redis`; cargo feature `redis-rs`.
    RedisRs,
    /// The crate `fred`; cargo feature `fred`.
    Fred,
}

/// Text that no log shows.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a commit waits for before it is acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Concern {
    pub(crate) replicas: u16,
    pub(crate) fsync: bool,
    pub(crate) timeout: Duration,
}

impl Concern {
    pub(crate) fn is_none(&self) -> bool {
        self.replicas == 0 && !self.fsync
    }
}

/// How the server is found.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// It is there.
    At(Address),
    /// By asking sentinels for the master of that name.
    Sentinel { sentinels: Vec<Address>, master: String, login: Login },
    /// By asking nodes of its cluster.
    Cluster { nodes: Vec<Address> },
}

/// Who we are to a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) driver: Option<Driver>,
    pub(crate) place: Place,
    /// Over TLS.
    pub(crate) secure: bool,
    pub(crate) tls: TlsOptions,
    pub(crate) db: i64,
    pub(crate) login: Login,
    pub(crate) prefix: String,
    pub(crate) foreign: Foreign,
    pub(crate) concern: Concern,
    pub(crate) connect_timeout: Duration,
    pub(crate) command_timeout: Duration,
    pub(crate) deadline: Duration,
}

impl Options {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            driver: None,
            place,
            secure: false,
            tls: TlsOptions::default(),
            db: 0,
            login: Login::default(),
            prefix: PREFIX.to_owned(),
            foreign: Foreign::default(),
            concern: Concern { replicas: 0, fsync: false, timeout: Duration::from_secs(1) },
            connect_timeout: Duration::from_secs(1),
            command_timeout: Duration::from_secs(1),
            deadline: Duration::from_secs(2),
        }
    }
}

/// Opens a [`RedisStorage`]. `Debug` shows no password.
#[derive(Debug, Clone)]
#[must_use]
pub struct RedisBuilder {
    options: Options,
}

impl RedisBuilder {
    pub(crate) fn new(options: Options) -> Self {
        Self { options }
    }

    /// A store on one server, by `host:port`; port 6379 where it is left out.
    ///
    /// # Errors
    ///
    /// `Invalid` for what is no host and port.
    pub fn server(at: impl AsRef<str>) -> Result<Self> {
        Ok(Self::new(Options::new(Place::At(address::parse(at.as_ref(), 6379)?))))
    }

    /// A store on one server, by its Unix socket.
    pub fn socket(path: impl Into<PathBuf>) -> Self {
        Self::new(Options::new(Place::At(Address::Unix(path.into()))))
    }

    /// A store on the master that sentinels know by that name; by `host:port` of some of them, port 26379
    /// where it is left out. They are tried in turn, and the others that they name.
    ///
    /// # Errors
    ///
    /// `Invalid` for no sentinel, what is no host and port, and an empty name.
    pub fn sentinel<S: AsRef<str>>(
        sentinels: impl IntoIterator<Item = S>,
        master: impl Into<String>,
    ) -> Result<Self> {
        let sentinels = address::parse_all(sentinels, 26379)?;
        let master = master.into();
        if master.is_empty() {
            return Err(Error::new(ErrorKind::Invalid, "the sentinels' name of the master is empty"));
        }
        Ok(Self::new(Options::new(Place::Sentinel { sentinels, master, login: Login::default() })))
    }

    /// A store in a cluster; by `host:port` of some of its nodes, port 6379 where it is left out. They are
    /// tried in turn, and the others that they name. Wants a [`prefix`](Self::prefix) with a hash tag, such
    /// as `{feature_flags}:`, so that everything is on one node and a commit is atomic.
    ///
    /// # Errors
    ///
    /// `Invalid` for no node, and what is no host and port.
    pub fn cluster<S: AsRef<str>>(nodes: impl IntoIterator<Item = S>) -> Result<Self> {
        Ok(Self::new(Options::new(Place::Cluster { nodes: address::parse_all(nodes, 6379)? })))
    }

    /// What every key begins with; `feature_flags:` unless said otherwise, as in the origin.
    ///
    /// Opening fails with `Invalid` for a prefix that holds `*`, `?`, `[`, `]`, a backslash, a control
    /// character or an empty hash tag `{}`, that is longer than 255 bytes, or whose last part is the name of
    /// a kind of record or of its indexes by flag (`ff:flag:`, `ff:schedules:`): its keys would lie among
    /// those of the store under `ff:`. An empty prefix is allowed, and wants a database of its own.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into();
        self
    }

    /// Whether programs of the origin write to the same store.
    pub fn foreign(mut self, foreign: Foreign) -> Self {
        self.options.foreign = foreign;
        self
    }

    /// The password, and the ACL user where there is one; better than in a URL.
    pub fn credentials(mut self, username: Option<&str>, password: impl Into<String>) -> Self {
        self.options.login =
            Login { username: username.map(str::to_owned), password: Some(Secret::new(password)) };
        self
    }

    /// The password of the sentinels, and the ACL user where there is one. They are not those of the master.
    ///
    /// Without sentinels it has no effect.
    pub fn sentinel_credentials(mut self, username: Option<&str>, password: impl Into<String>) -> Self {
        if let Place::Sentinel { login, .. } = &mut self.options.place {
            *login = Login { username: username.map(str::to_owned), password: Some(Secret::new(password)) };
        }
        self
    }

    /// Whether connections are secured by TLS, those to sentinels too; a URL that begins with `rediss` says
    /// so as well. Opening fails with `Invalid` for a socket.
    pub fn tls(mut self, tls: bool) -> Self {
        self.options.secure = tls;
        self
    }

    /// The number of the database; 0 unless said otherwise, and in a cluster always.
    pub fn database(mut self, db: u16) -> Self {
        self.options.db = i64::from(db);
        self
    }

    /// Which client library to use; unless said otherwise `redis-rs` where it is compiled in, else `fred`.
    /// Opening fails with `Unsupported` for one that is not.
    pub fn driver(mut self, driver: Driver) -> Self {
        self.options.driver = Some(driver);
        self
    }

    /// The certificate authorities to trust under TLS, as PEM, instead of the public ones.
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.options.tls.ca = Some(pem.into());
        self
    }

    /// The certificate by which this client is known under TLS, followed by those between it and the server's
    /// authority, and its key; both as PEM.
    pub fn client_certificate(mut self, cert: impl Into<Vec<u8>>, key: impl Into<String>) -> Self {
        self.options.tls.client_cert = Some(cert.into());
        self.options.tls.client_key = Some(Secret::new(key));
        self
    }

    /// Acknowledges a commit only when so many replicas have it, for which it waits so long; see
    /// [durability](crate#durability). Where they do not have it in time the commit is `Indeterminate`, and
    /// its error says how many do: it is applied, and lost if the server is lost before they have it.
    ///
    /// Commits of such a store take a few connections of their own, and one more round trip each. The time
    /// ends before the [`deadline`](Self::deadline) in any case.
    pub fn replicas(mut self, replicas: u16, timeout: Duration) -> Self {
        self.options.concern.replicas = replicas;
        self.options.concern.timeout = timeout;
        self
    }

    /// Acknowledges a commit only when the server has it on disk, and with [`replicas`](Self::replicas) so
    /// many of them on theirs, for which it waits so long, for both alike. Otherwise as there.
    ///
    /// Opening fails with `Unsupported` for a server that cannot say so (before Redis 7.2) or writes no
    /// append-only file.
    pub fn fsync(mut self, timeout: Duration) -> Self {
        self.options.concern.fsync = true;
        self.options.concern.timeout = timeout;
        self
    }

    /// How long one attempt to connect may take, to each server that is tried; 1 s unless said otherwise.
    /// That is time for a handshake with TLS across continents; where several sentinels or nodes are named
    /// and some of them may be silent, less lets others be tried before the [`deadline`](Self::deadline).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long one command may take; 1 s unless said otherwise. After two in a row without an answer the
    /// connection is made anew, also where they were given up before, at the [`deadline`](Self::deadline) or
    /// by dropping the call.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.options.command_timeout = timeout;
        self
    }

    /// How long a whole call may take, [`open`](Self::open) too, connecting and all round trips included; of
    /// a listing, and of the scan that comes before deleting a flag under [`Foreign::Scan`], each page. 2 s
    /// unless said otherwise.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// Connects, proves that every command the store needs is permitted, and marks the store as initialised.
    /// Where the server takes no writes, or this user may make none at all, the store is opened for reading,
    /// and a commit says why it cannot be made.
    ///
    /// Must be called within a tokio runtime; the connection lives in it.
    ///
    /// # Errors
    ///
    /// `Invalid` for options that cannot be, `Unavailable` when the server cannot be reached, `Denied`
    /// when it refuses the user or a command, which the error names.
    pub async fn open(self) -> Result<RedisStorage> {
        for (field, timeout) in [
            ("connect_timeout", self.options.connect_timeout),
            ("command_timeout", self.options.command_timeout),
            ("deadline", self.options.deadline),
            ("wait", self.options.concern.timeout),
        ] {
            if timeout.is_zero() {
                return Err(Error::new(ErrorKind::Invalid, "zero leaves no time").with_field(field));
            }
        }
        let keyspace = Keyspace::new(self.options.prefix.clone())?;
        RedisStorage::open_with(self.options, keyspace).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_those_that_the_documentation_says() {
        let url = RedisStorage::builder("redis://localhost").unwrap().options;
        let built = RedisBuilder::server("localhost").unwrap().options;
        for options in [url, built] {
            assert_eq!(options.connect_timeout, Duration::from_secs(1));
            assert_eq!(options.command_timeout, Duration::from_secs(1));
            assert_eq!(options.deadline, Duration::from_secs(2));
        }
        let documented = include_str!("store/mod.rs");
        assert!(documented.contains("the method of that name; 1000, 1000 and 2000 unless said otherwise"));
    }

    #[test]
    fn no_time_at_all_is_refused_before_anything_is_sent() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let builder = || RedisStorage::builder("redis://127.0.0.1:1").unwrap();
        for (builder, field) in [
            (builder().connect_timeout(Duration::ZERO), "connect_timeout"),
            (builder().command_timeout(Duration::ZERO), "command_timeout"),
            (builder().deadline(Duration::ZERO), "deadline"),
        ] {
            let error = runtime.block_on(builder.open()).unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some(field)));
        }
    }
}
