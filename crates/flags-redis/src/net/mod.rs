//! What is below a client library: sockets and TLS, the same for every driver.

#[cfg(feature = "redis-rs")]
pub(crate) mod stream;
pub(crate) mod tls;

/// How long the kernel keeps sending to a peer that confirms nothing.
#[cfg(all(target_os = "linux", any(feature = "redis-rs", feature = "fred")))]
pub(crate) const USER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);
/// When an idle connection is first asked whether it is still there, and how often then.
#[cfg(any(feature = "redis-rs", feature = "fred"))]
pub(crate) const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(15);
