//! [`Address`]: where a server is.

use std::fmt;
use std::path::PathBuf;

use flags_core::{Error, ErrorKind, Result};

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Reads `host:port`, `host` and `[::1]:port`. The error repeats nothing of it: it may be part of a password.
pub(crate) fn parse(text: &str, default_port: u16) -> Result<Address> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port),
        // More than one colon is an IPv6 address without a port.
        None if text.matches(':').count() > 1 => (text, ""),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok(),
        None => port.is_empty().then_some(default_port),
    };
    let named = !host.is_empty()
        && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "@/?#".contains(c));
    match port {
        Some(port) if named => Ok(Address::Tcp { host: host.to_owned(), port }),
        _ => Err(Error::new(ErrorKind::Invalid, "a server is not named as host:port")),
    }
}

/// Reads several, of which there is at least one.
pub(crate) fn parse_all<S: AsRef<str>>(
    texts: impl IntoIterator<Item = S>,
    default_port: u16,
) -> Result<Vec<Address>> {
    let addresses: Vec<_> =
        texts.into_iter().map(|text| parse(text.as_ref(), default_port)).collect::<Result<_>>()?;
    if addresses.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "no server is named; name one as host:port"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_a_port() {
        for (text, host, port) in
            [("a", "a", 1), ("a:2", "a", 2), ("::1", "::1", 1), ("[::1]", "::1", 1), ("[::1]:2", "::1", 2)]
        {
            assert_eq!(parse(text, 1).unwrap(), Address::Tcp { host: host.into(), port }, "{text}");
        }
        for text in ["", ":1", "secret:x", "secret@a:1", "secret:99999", "[::1]secret", "secret x"] {
            let error = parse(text, 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(!format!("{error:?}").contains("secret"), "{text}");
        }
        assert!(parse_all(Vec::<String>::new(), 1).is_err());
    }
}
