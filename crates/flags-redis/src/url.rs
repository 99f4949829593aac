//! Store URLs.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use flags_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::options::{Address, Driver, Foreign, Options, Secret};

fn invalid(reason: impl Into<Cow<'static, str>>) -> Error {
    // Never with the URL itself: it may hold a password.
    Error::new(ErrorKind::Invalid, reason).with_field("url")
}

/// What a `?`, `#` or `/` of a password does to the URL around it.
const ENCODE: &str = "percent-encode the password: %3F for ?, %23 for #, %2F for /, %40 for @";

/// Reads a URL into options. No error repeats any part of it but the name of a parameter that looks like one.
pub(crate) fn parse(text: &str) -> Result<Options> {
    let text = with_host(text);
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
    let mut options = match url.scheme() {
        "redis" | "rediss" => Options::new(tcp(&url)?),
        "redis+unix" => Options::new(unix(&url)?),
        _ => {
            return Err(invalid(
                "the scheme is none of redis, rediss and redis+unix; write redis://host:6379",
            ));
        }
    };
    options.secure = url.scheme() == "rediss";
    if !url.username().is_empty() {
        if url.password().is_none() {
            return Err(invalid(
                "the URL names a user without a password; write redis://user:password@host, or give both to \
                 RedisBuilder::credentials",
            ));
        }
        options.login.username = Some(decode(url.username())?);
    }
    if let Some(password) = url.password() {
        options.login.password = Some(Secret::new(decode(password)?));
    }
    let mut named = HashSet::new();
    if let (Address::Tcp { .. }, Some(db)) = (&options.address, url.path().strip_prefix('/'))
        && !db.is_empty()
    {
        if db.contains('@') {
            return Err(invalid(format!("the URL holds an @ after a slash; {ENCODE}")));
        }
        options.db = database(db)?;
        named.insert("db".to_owned());
    }
    for (name, value) in url.query_pairs() {
        parameter(&mut options, &name, &value)?;
        if !named.insert(name.clone().into_owned()) {
            return Err(invalid(format!("the URL says {name} twice; leave one out")));
        }
    }
    Ok(options)
}

fn parameter(options: &mut Options, name: &str, value: &str) -> Result<()> {
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
                 command_timeout_ms, deadline_ms, ca_file, cert_file and key_file"
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

/// The URL parser wants a host after credentials, which a socket has none of: `redis+unix://:password@/path`.
fn with_host(text: &str) -> Cow<'_, str> {
    match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('/')?))) {
        Some((scheme, (credentials, path)))
            if scheme.eq_ignore_ascii_case("redis+unix") && credentials.ends_with('@') =>
        {
            Cow::Owned(format!("{scheme}://{credentials}localhost/{path}"))
        }
        _ => Cow::Borrowed(text),
    }
}

fn tcp(url: &Url) -> Result<Address> {
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    // A URL brackets an IPv6 address, a socket does not.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Address::Tcp { host, port: url.port().unwrap_or(6379) })
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

    #[test]
    fn reads_every_part() {
        let options =
            parse("redis://app:p%40ss@[::1]:7000/3?prefix=ff:&foreign=index&deadline_ms=500").unwrap();
        assert_eq!(options.address, Address::Tcp { host: "::1".into(), port: 7000 });
        assert_eq!((options.db, options.prefix.as_str()), (3, "ff:"));
        assert_eq!(options.login.password.as_ref().map(Secret::reveal), Some("p@ss"));
        assert_eq!((options.foreign, options.deadline), (Foreign::Index, Duration::from_millis(500)));
        assert!(!format!("{options:?}").contains("p@ss"));

        let options = parse("redis+unix:///run/my%20redis.sock?db=2").unwrap();
        assert_eq!((options.address, options.db), (Address::Unix("/run/my redis.sock".into()), 2));
        for text in [
            "redis+unix://app:p%40ss@/run/s",
            "redis+unix://app:p%40ss@localhost/run/s?prefix=",
            "redis+unix:///run/s",
        ] {
            let options = parse(text).unwrap();
            assert_eq!(options.address, Address::Unix("/run/s".into()), "{text}");
            let password = options.login.password.as_ref().map(Secret::reveal);
            assert_eq!(password, text.contains("app").then_some("p@ss"), "{text}");
        }
        let options = parse("rediss://cache.example").unwrap();
        assert_eq!(options.address, Address::Tcp { host: "cache.example".into(), port: 6379 });
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
