//! [`connect`]: a store by its URL.

use flags_core::{Error, ErrorKind, Result, StorageHandle};

/// A kind of store: the scheme of its URLs, and the cargo feature that compiles it in.
struct Backend {
    scheme: &'static str,
    feature: &'static str,
    form: &'static str,
}

/// Every kind of store that this version has, compiled in or not.
const BACKENDS: &[Backend] = &[
    Backend { scheme: "memory", feature: "memory", form: "memory: or memory:PATH-OF-AN-EXPORT" },
    Backend { scheme: "file", feature: "file", form: "file:PATH" },
    Backend { scheme: "redis", feature: "redis", form: "redis://HOST:6379" },
    Backend { scheme: "rediss", feature: "redis", form: "rediss://HOST:6379" },
    Backend { scheme: "redis+unix", feature: "redis", form: "redis+unix:///PATH-OF-A-SOCKET" },
    Backend {
        scheme: "redis+sentinel",
        feature: "redis",
        form: "redis+sentinel://HOST:26379,HOST:26379/MASTER",
    },
    Backend { scheme: "rediss+sentinel", feature: "redis", form: "rediss+sentinel://HOST:26379/MASTER" },
    Backend {
        scheme: "redis+cluster",
        feature: "redis",
        form: "redis+cluster://HOST:6379,HOST:6379?prefix={NAME}:",
    },
    Backend { scheme: "rediss+cluster", feature: "redis", form: "rediss+cluster://HOST:6379?prefix={NAME}:" },
];

/// Opens the store that a URL names.
///
/// | URL | store | cargo feature |
/// |---|---|---|
/// | `memory:` | a new one, empty | `memory` (default) |
/// | `memory:PATH` | a new one that begins with the exported document at PATH | `memory` |
/// | `file:PATH` | the document in that file, which the first commit creates | `file` |
/// | `file:///PATH` | the same, its path from the root and percent-encoded | `file` |
/// | `redis://[USER:PASSWORD@]HOST[:PORT][/DB]` | Redis or Valkey | `redis`, or `fred` for the client library of that name |
/// | `rediss://...` | the same, over TLS | `redis` |
/// | `redis+unix:///PATH` | the same, over a Unix socket | `redis` |
/// | `redis+sentinel://HOST[:PORT],.../MASTER[/DB]`, `rediss+sentinel://...` | the master that sentinels know by that name | `redis` |
/// | `redis+cluster://HOST[:PORT],...?prefix={NAME}:`, `rediss+cluster://...` | a cluster | `redis` |
///
/// The parameters of a file (`deadline_ms`, `poll_ms`) are those of `FileBuilder::from_url`. Those of Redis
/// (`prefix`, `foreign`, time limits) are those of `RedisStorage::builder`, which also takes what a URL
/// should not hold.
///
/// # Errors
///
/// `Invalid` for a URL of no known form, or a document that cannot be imported; `Unsupported`, naming the
/// cargo feature to enable, for a store that is not compiled in; `Unavailable` when it cannot be reached or
/// read. A password in the URL is in no error; the path of a document or of a file is.
///
/// # Cancellation
///
/// May be dropped at any time: no store was opened then, and none was changed.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "memory")]
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let storage = feature_flags::connect("memory:").await?;
/// assert_eq!(storage.descriptor().name(), "memory");
/// # Ok::<(), feature_flags::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn connect(url: &str) -> Result<StorageHandle> {
    open(url).await.map_err(|error| error.in_operation("connect"))
}

async fn open(url: &str) -> Result<StorageHandle> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme {
        #[cfg(feature = "memory")]
        "memory" => memory(&url["memory:".len()..]).await,
        #[cfg(feature = "file")]
        "file" => Ok(std::sync::Arc::new(flags_file::FileStorage::connect(url).await?)),
        #[cfg(any(feature = "redis", feature = "fred"))]
        "redis" | "rediss" | "redis+unix" | "redis+sentinel" | "rediss+sentinel" | "redis+cluster"
        | "rediss+cluster" => Ok(std::sync::Arc::new(flags_redis::RedisStorage::connect(url).await?)),
        _ => Err(not_opened(scheme)),
    }
}

/// Why no store is opened for a scheme: it is not compiled in, or there is no such store.
fn not_opened(scheme: &str) -> Error {
    match BACKENDS.iter().find(|backend| backend.scheme == scheme) {
        Some(Backend { scheme, feature, .. }) => Error::unsupported(format!(
            "`{scheme}:` stores are not compiled in; enable the cargo feature `{feature}` of feature-flags"
        )),
        None => {
            let forms: Vec<&str> = BACKENDS.iter().map(|backend| backend.form).collect();
            Error::new(ErrorKind::Invalid, format!("not the URL of a store; write {}", forms.join(", ")))
        }
    }
}

/// A store in memory, which begins with the document at `path` unless that is empty.
#[cfg(feature = "memory")]
async fn memory(path: &str) -> Result<StorageHandle> {
    use std::sync::Arc;

    use flags_core::FlagStore;
    use flags_core::transfer::{Document, ImportMode};

    let storage: StorageHandle = Arc::new(crate::MemoryStorage::new());
    if !path.is_empty() {
        let json = std::fs::read(path).map_err(|source| {
            Error::new(
                ErrorKind::Unavailable,
                format!("{path:?} cannot be read; is it an exported document?"),
            )
            .with_source(source)
        })?;
        let document = Document::from_json(&json)?;
        FlagStore::new(Arc::clone(&storage)).import(&document, ImportMode::Merge).await?;
    }
    Ok(storage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_is_opened_or_names_its_feature() {
        for backend in BACKENDS {
            let error = not_opened(backend.scheme);
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(&format!("`{}`", backend.feature)), "{error}");
        }
    }

    #[test]
    fn a_url_of_no_known_form_is_invalid_and_is_not_repeated() {
        let error = not_opened("mysql");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("memory:"), "{error}");
    }

    #[tokio::test]
    async fn redis_is_opened_or_names_its_feature_and_no_password_is_shown() {
        // Nobody listens on the discard port of this machine.
        let error = connect("redis://user:hunter2@127.0.0.1:9/?deadline_ms=500").await.map(drop).unwrap_err();
        let kind = if cfg!(any(feature = "redis", feature = "fred")) {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Unsupported
        };
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[tokio::test]
    async fn a_file_is_opened_or_names_its_feature() {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("file:{}?poll_ms=50", directory.path().join("flags.json").display());
        let opened = connect(&url).await;
        if cfg!(feature = "file") {
            assert_eq!(opened.expect("an empty store").descriptor().name(), "file");
        } else {
            assert_eq!(opened.map(drop).unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }

    #[tokio::test]
    async fn what_is_not_compiled_in_is_unsupported() {
        let opened = connect("memory:").await;
        if cfg!(feature = "memory") {
            assert!(opened.is_ok(), "{opened:?}");
        } else {
            assert_eq!(opened.map(drop).unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }
}
