//! [`inspect`]: how a store keeps its records, by its URL.

use flags_core::Result;
use flags_core::storage::Finding;

/// Looks for what is wrong with the way the store at a URL keeps its records, and tells each finding as it is
/// made. With `mend`, what can be mended without losing anything is.
///
/// | store | what is looked at |
/// |---|---|
/// | Redis, Valkey | the indexes, as `RedisStorage::inspect` says |
/// | any other | nothing: it keeps no record twice |
///
/// # Errors
///
/// Those of [`connect`](crate::connect); whatever kept it from looking at everything.
///
/// # Cancellation
///
/// May be dropped at any time; what was mended stays mended.
pub async fn inspect(url: &str, mend: bool, found: impl FnMut(Finding) + Send) -> Result<()> {
    look(url, mend, found).await.map_err(|error| error.in_operation("inspect"))
}

#[cfg(any(feature = "redis", feature = "fred"))]
async fn look(url: &str, mend: bool, mut found: impl FnMut(Finding) + Send) -> Result<()> {
    use futures_util::TryStreamExt as _;

    // The schemes of Redis begin with redis, or with rediss.
    if !url.starts_with("redis") {
        return crate::connect(url).await.map(drop);
    }
    let store = flags_redis::RedisStorage::connect(url).await?;
    let mut findings = store.inspect(mend);
    while let Some(finding) = findings.try_next().await? {
        found(finding);
    }
    Ok(())
}

#[cfg(not(any(feature = "redis", feature = "fred")))]
async fn look(url: &str, _: bool, _: impl FnMut(Finding) + Send) -> Result<()> {
    crate::connect(url).await.map(drop)
}

#[cfg(all(test, feature = "memory"))]
mod tests {
    use flags_core::ErrorKind;

    #[tokio::test]
    async fn a_store_that_keeps_no_record_twice_has_no_flaws_and_no_store_is_an_error() {
        let mut findings = 0;
        super::inspect("memory:", true, |_| findings += 1).await.expect("there is nothing to do");
        let error = super::inspect("nothing", false, |_| findings += 1).await.expect_err("no URL");
        assert_eq!((error.kind(), error.operation()), (ErrorKind::Invalid, Some("inspect")));
        assert_eq!(findings, 0);
    }
}
