//! Store URLs.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use flags_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::address::{self, Address};
use crate::options::{Driver, Foreign, Login, Options, Place, Secret};

fn invalid(reason: impl Into<Cow<'static, str>>) -> Error {
    // Never with the URL itself: it may hold a password.
    Error::new(ErrorKind::Invalid, reason).with_field("url")
}

/// What a `?`, `#` or `/` of a password does to the URL around it.
const ENCODE: &str = "percent-encode the password: %3F for ?, %23 for #, %2F for /, %40 for @";

/// Reads a URL into options. No error repeats any part of it but the name of a parameter that looks like one.
pub(crate) fn parse(text: &str) -> Result<Options> {
    let (text, hosts) = apart(text);
    let url = Url::parse(&text).map_err(|e| {
        invalid(format!("the URL cannot be read; if it holds a password, {ENCODE}")).with_source(e)
    })?;
    // What follows may be the rest of a password, and the host and port a user and its beginning.
    if url.fragment().is_some() {
        return Err(invalid(format!("the URL holds a #; {ENCODE}")));
    }
    if url.query().is_some_and(|query| query.contains('@')) {
        return Err(invalid(format!("the URL holds an @ after its ?; {ENCODE}, in parameters too")));
    }
    if url.cannot_be_a_base() {
        return Err(invalid("two slashes are missing after the scheme; write redis://host:6379"));
    }
    let (place, db) = place(&url, &hosts)?;
    let mut options = Options::new(place);
    let mut named = HashSet::new();
    if let Some(db) = db {
        options.db = database(&db)?;
        named.insert("db".to_owned());
    }
    options.secure = url.scheme().starts_with("rediss");
    options.login = login(url.username(), url.password())?;
    let mut sentinel = Login::default();
    for (name, value) in url.query_pairs() {
        parameter(&mut options, &mut sentinel, &name, &value)?;
        if !named.insert(name.clone().into_owned()) {
            return Err(invalid(format!("the URL says {name} twice; leave one out")));
        }
    }
    match (&mut options.place, &sentinel) {
        (Place::Sentinel { .. }, Login { username: Some(_), password: None }) => {
            return Err(invalid("the parameter sentinel_user wants sentinel_password beside it"));
        }
        (Place::Sentinel { login, .. }, _) => *login = sentinel,
        (_, Login { username: None, password: None }) => {}
        _ => return Err(invalid("the URL names no sentinels that sentinel_password could be for")),
    }
    Ok(options)
}

/// How the server is found, and the number of the database where the path says it.
fn place(url: &Url, hosts: &[String]) -> Result<(Place, Option<String>)> {
    let path = url.path().strip_prefix('/').unwrap_or_default();
    let db = |path: &str| (!path.is_empty()).then(|| path.to_owned());
    if path.contains('@') && url.scheme() != "redis+unix" {
        return Err(invalid(format!("the URL holds an @ after a slash; {ENCODE}")));
    }
    match url.scheme() {
        "redis" | "rediss" => {
            let host = match hosts {
                [] => "localhost",
                [host] if host.starts_with(':') => &format!("localhost{host}"),
                [host] => host,
                _ => {
                    return Err(invalid(
                        "the URL names several servers; begin it with redis+cluster or redis+sentinel",
                    ));
                }
            };
            Ok((Place::At(address::parse(host, 6379)?), db(path)))
        }
        "redis+unix" => Ok((Place::At(unix(url)?), None)),
        "redis+cluster" | "rediss+cluster" => {
            Ok((Place::Cluster { nodes: address::parse_all(hosts, 6379)? }, db(path)))
        }
        "redis+sentinel" | "rediss+sentinel" => {
            let (master, number) = path.split_once('/').unwrap_or((path, ""));
            let master = decode(master)?;
            if master.is_empty() {
                return Err(invalid(
                    "the URL says no name of the master; write redis+sentinel://host:26379/name-of-the-master",
                ));
            }
            let sentinels = address::parse_all(hosts, 26379)?;
            Ok((Place::Sentinel { sentinels, master, login: Login::default() }, db(number)))
        }
        _ => Err(invalid(
            "the scheme is none of redis, rediss, redis+unix, redis+sentinel, rediss+sentinel, redis+cluster and \
             rediss+cluster; write redis://host:6379",
        )),
    }
}

fn login(username: &str, password: Option<&str>) -> Result<Login> {
    let Some(password) = password else {
        if username.is_empty() {
            return Ok(Login::default());
        }
        return Err(invalid(
            "the URL names a user without a password; write redis://user:password@host, or give both to \
             RedisBuilder::credentials",
        ));
    };
    let username = if username.is_empty() { None } else { Some(decode(username)?) };
    Ok(Login { username, password: Some(Secret::new(decode(password)?)) })
}

fn parameter(options: &mut Options, sentinel: &mut Login, name: &str, value: &str) -> Result<()> {
    match name {
        "prefix" => value.clone_into(&mut options.prefix),
        "foreign" => {
            options.foreign = match value {
                "scan" => Foreign::Scan,
                "index" => Foreign::Index,
                _ => return Err(invalid("the parameter foreign is neither scan nor index")),
            };
        }
        "db" => options.db = database(value)?,
        "connect_timeout_ms" => options.connect_timeout = millis(name, value)?,
        "command_timeout_ms" => options.command_timeout = millis(name, value)?,
        "deadline_ms" => options.deadline = millis(name, value)?,
        "replicas" => {
            options.concern.replicas =
                value.parse().map_err(|_| invalid("the parameter replicas is no number of replicas"))?;
        }
        "fsync" => {
            options.concern.fsync = match value {
                "true" => true,
                "false" => false,
                _ => return Err(invalid("the parameter fsync is neither true nor false")),
            };
        }
        "wait_ms" => options.concern.timeout = millis(name, value)?,
        "sentinel_user" => sentinel.username = Some(value.to_owned()),
        "sentinel_password" => sentinel.password = Some(Secret::new(value)),
        "driver" => {
            options.driver = Some(match value {
                "redis-rs" => Driver::RedisRs,
                "fred" => Driver::Fred,
                _ => return Err(invalid("the parameter driver is neither redis-rs nor fred")),
            });
        }
        "ca_file" => options.tls.ca = Some(file(name, value)?),
        "cert_file" => options.tls.client_cert = Some(file(name, value)?),
        "key_file" => {
            let key = String::from_utf8(file(name, value)?)
                .map_err(|_| invalid("the file that the parameter key_file names is no PEM"))?;
            options.tls.client_key = Some(Secret::new(key));
        }
        _ => {
            // Anything else may be the rest of a password.
            let plain = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            let name = if plain { format!("{name:?}") } else { "of that name".to_owned() };
            return Err(invalid(format!(
                "there is no parameter {name}; there are prefix, foreign, db, driver, connect_timeout_ms, \
                 command_timeout_ms, deadline_ms, replicas, fsync, wait_ms, ca_file, cert_file, key_file, sentinel_user and sentinel_password"
            )));
        }
    }
    Ok(())
}

fn file(name: &str, path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| {
        invalid(format!("the file that the parameter {name} names cannot be read")).with_source(e)
    })
}

/// The URL with one host at the most, and the hosts. The URL parser knows no list of them, and wants one
/// after credentials, which a socket has none of: `redis+unix://:password@/path`.
fn apart(text: &str) -> (Cow<'_, str>, Vec<String>) {
    let Some((scheme, rest)) = text.split_once("://") else { return (Cow::Borrowed(text), Vec::new()) };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (credentials, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    if scheme.eq_ignore_ascii_case("redis+unix") {
        let host = if hosts.is_empty() && !credentials.is_empty() { "localhost" } else { hosts };
        return (Cow::Owned(format!("{scheme}://{credentials}{host}{path}")), Vec::new());
    }
    let named = hosts.split(',').filter(|_| !hosts.is_empty()).map(str::to_owned).collect();
    (Cow::Owned(format!("{scheme}://{credentials}localhost{path}")), named)
}

fn unix(url: &Url) -> Result<Address> {
    if url.host_str().is_some_and(|host| !matches!(host, "" | "localhost")) || url.port().is_some() {
        return Err(invalid("a socket's URL has three slashes: redis+unix:///path/to/socket"));
    }
    match decode(url.path())? {
        path if path.len() > 1 => Ok(Address::Unix(PathBuf::from(path))),
        _ => Err(invalid("the URL names no socket: redis+unix:///path/to/socket")),
    }
}

fn database(text: &str) -> Result<i64> {
    text.parse()
        .ok()
        .filter(|db| (0..=i64::from(u16::MAX)).contains(db))
        .ok_or_else(|| invalid("the database is no number"))
}

fn millis(name: &str, text: &str) -> Result<Duration> {
    match text.parse() {
        Ok(millis @ 1..) => Ok(Duration::from_millis(millis)),
        _ => Err(invalid(format!("the parameter {name} is no positive number of milliseconds"))),
    }
}

fn decode(text: &str) -> Result<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|e| invalid("a percent-encoded part is not UTF-8").with_source(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(options: &Options) -> Address {
        match &options.place {
            Place::At(address) => address.clone(),
            place => panic!("{place:?}"),
        }
    }

    #[test]
    fn reads_several_servers() {
        let options = parse(
            "rediss+sentinel://app:p%40ss@a:1,[::1],c/the%20one/3?sentinel_user=w&sentinel_password=s%40cret",
        )
        .unwrap();
        let Place::Sentinel { sentinels, master, login } = &options.place else { panic!("{options:?}") };
        let named: Vec<String> = sentinels.iter().map(ToString::to_string).collect();
        assert_eq!((named.join(" ").as_str(), master.as_str()), ("a:1 ::1:26379 c:26379", "the one"));
        assert_eq!(login.password.as_ref().map(Secret::reveal), Some("s@cret"));
        assert_eq!(options.login.password.as_ref().map(Secret::reveal), Some("p@ss"));
        assert_eq!((options.db, options.secure), (3, true));
        let shown = format!("{options:?}");
        assert!(!shown.contains("p@ss") && !shown.contains("s@cret"), "{shown}");

        let options = parse("redis+cluster://a,b:2?prefix={ff}:").unwrap();
        let Place::Cluster { nodes } = &options.place else { panic!("{options:?}") };
        assert_eq!(nodes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:6379", "b:2"]);
        for text in [
            "redis+sentinel://secret:1",
            "redis+sentinel:///secret",
            "redis+sentinel://h/m?sentinel_user=secret",
            "redis+cluster://",
            "redis+cluster://secret,,b",
            "redis+cluster://a:secret,b",
            "redis+cluster://app:1/secret@h",
            "redis+cluster://h/secret",
            "redis://secret,b",
            "redis://h?sentinel_password=secret",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(!format!("{error:?}").contains("secret"), "{text}: {error:?}");
        }
    }

    #[test]
    fn reads_every_part() {
        let options =
            parse("redis://app:p%40ss@[::1]:7000/3?prefix=ff:&foreign=index&deadline_ms=500").unwrap();
        assert_eq!(at(&options), Address::Tcp { host: "::1".into(), port: 7000 });
        assert_eq!((options.db, options.prefix.as_str()), (3, "ff:"));
        assert_eq!(options.login.password.as_ref().map(Secret::reveal), Some("p@ss"));
        assert_eq!((options.foreign, options.deadline), (Foreign::Index, Duration::from_millis(500)));
        assert!(!format!("{options:?}").contains("p@ss"));

        let options = parse("redis+unix:///run/my%20redis.sock?db=2").unwrap();
        assert_eq!((at(&options), options.db), (Address::Unix("/run/my redis.sock".into()), 2));
        for text in [
            "redis+unix://app:p%40ss@/run/s",
            "redis+unix://app:p%40ss@localhost/run/s?prefix=",
            "redis+unix:///run/s",
        ] {
            let options = parse(text).unwrap();
            assert_eq!(at(&options), Address::Unix("/run/s".into()), "{text}");
            let password = options.login.password.as_ref().map(Secret::reveal);
            assert_eq!(password, text.contains("app").then_some("p@ss"), "{text}");
        }
        let options = parse("rediss://cache.example").unwrap();
        assert_eq!(at(&options), Address::Tcp { host: "cache.example".into(), port: 6379 });
        assert!(options.secure);
    }

    #[test]
    fn refuses_the_rest_without_repeating_it() {
        for text in [
            "redis",
            "http://secret@host",
            "redis://:secret@host/x",
            "redis://:secret@host?timeout=1",
            "redis://:secret@host?foreign=secret",
            "redis://:secret@host?deadline_ms=0",
            "redis+unix://secret/x",
            "redis+unix://",
            // A password that nobody encoded is never a parameter, a database or ignored.
            "redis://app:?secret@host:6379",
            "redis://app:1?secret@host",
            "redis://app:1?prefix=secret@host",
            "redis://app:12#secret@127.0.0.1",
            "redis://app:1/secret@host",
            "redis://host#secret",
            "redis://host?Secret1=x",
            "redis:secret",
            "redis+unix://:secret@host/x",
            "redis+unix://:se/secret@/x",
            // What is said twice, or half.
            "redis://secret@host",
            "redis+unix://secret@/x",
            "redis://host?prefix=secret&prefix=b",
            "redis://host/3?db=4",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(!format!("{error:?}").contains("secret"), "{text}: {error:?}");
        }
        for text in ["redis://app:12#secret@h", "redis://app:?secret@h", "redis://app:1/secret@h"] {
            assert!(parse(text).unwrap_err().to_string().contains("percent-encode the password"), "{text}");
        }
        assert!(parse("redis://h?timeout=1").unwrap_err().to_string().contains("\"timeout\""));
    }
}
