//! URLs of files.

use std::path::PathBuf;
use std::time::Duration;

use flags_core::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

use crate::options::FileBuilder;

fn invalid(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Invalid, reason)
}

pub(crate) fn parse(url: &str) -> Result<FileBuilder> {
    let form = "not the URL of a file; write file:PATH or file:///PATH";
    let rest = url.strip_prefix("file:").ok_or_else(|| invalid(form))?;
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let path = match path.strip_prefix("//") {
        // A file of this machine, as the standard has it.
        Some(local) => {
            let local = local.strip_prefix("localhost").unwrap_or(local);
            if !local.starts_with('/') {
                return Err(invalid("a file has no host; write file:PATH or file:///PATH"));
            }
            let decoded = percent_decode_str(local).decode_utf8();
            PathBuf::from(decoded.map_err(|error| invalid(form).with_source(error))?.into_owned())
        }
        None => PathBuf::from(path),
    };
    if path.as_os_str().is_empty() {
        return Err(invalid(form));
    }
    let mut builder = FileBuilder::new(path);
    let mut seen = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if seen.contains(&name) {
            return Err(invalid("the parameter is there twice").with_field(name.to_owned()));
        }
        seen.push(name);
        builder = match name {
            "deadline_ms" => builder.deadline(milliseconds(name, value)?),
            "poll_ms" => builder.poll_interval(milliseconds(name, value)?),
            _ => {
                let reason = "there is no such parameter; deadline_ms and poll_ms are what there is";
                return Err(invalid(reason).with_field(name.to_owned()));
            }
        };
    }
    Ok(builder)
}

fn milliseconds(name: &str, value: &str) -> Result<Duration> {
    let number = value.parse().map_err(|error: std::num::ParseIntError| {
        invalid("not a number of milliseconds").with_field(name.to_owned()).with_source(error)
    })?;
    Ok(Duration::from_millis(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_parameters_are_read() {
        for (url, path) in [
            ("file:flags.json", "flags.json"),
            ("file:./a b%20.json", "./a b%20.json"),
            ("file:/abs/flags.json", "/abs/flags.json"),
            ("file:///abs/a%20b%3F.json", "/abs/a b?.json"),
            ("file://localhost/f", "/f"),
        ] {
            assert_eq!(parse(url).expect(url).options.path, PathBuf::from(path), "{url}");
        }
        let options = parse("file:f?deadline_ms=250&poll_ms=40").expect("a URL").options;
        assert_eq!(options.deadline, Duration::from_millis(250));
        assert_eq!(options.poll_interval, Some(Duration::from_millis(40)));
    }

    #[test]
    fn what_is_no_url_of_a_file_is_invalid() {
        for url in [
            "file:",
            "file://",
            "file://host/f",
            "file:?poll_ms=1",
            "redis:x",
            "file:f?x=1",
            "file:f?poll_ms=x",
            "file:f?poll_ms=1&poll_ms=2",
            "file:///%ff",
        ] {
            assert_eq!(parse(url).map(drop).expect_err(url).kind(), ErrorKind::Invalid, "{url}");
        }
    }
}
