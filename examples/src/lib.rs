//! What the examples share: which store, how the client starts, when to stop.
//!
//! | program | what |
//! |---|---|
//! | `web` | an axum service that decides for the user of each request |
//! | `worker` | a loop that takes its batch size, and whether to pause, from flags |
//! | `scheduler` | executes scheduled changes; run any number of them beside the others |
//!
//! Each takes the URL of a store: as its argument, in `FLAGS_STORE`, or else the file `data/flags.json` of
//! this folder. On the same store they see each other's changes, and those of `flags` and of Python services:
//!
//! ```sh
//! cargo run -p flags-examples --bin web
//! curl -H 'x-user-id: ann' -H 'x-country: NL' localhost:3000
//! cargo run -p flags-cli -- --store file:examples/data/flags.json flag disable new-checkout
//! ```

use anyhow::{Context as _, Result};
use feature_flags::client::ClientEvent;
use feature_flags::{Client, StorageHandle, connect};

/// The flags of the examples. Changes are written there; it is a file in git like any other.
const FLAGS: &str = concat!("file:", env!("CARGO_MANIFEST_DIR"), "/data/flags.json");

/// Opens the store that this process was told to use.
///
/// # Errors
///
/// When it is not there; the URL is not repeated, since it may hold a password.
pub async fn store() -> Result<StorageHandle> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("FLAGS_STORE").ok());
    connect(url.as_deref().unwrap_or(FLAGS)).await.context("cannot open the store of the flags")
}

/// A client that has loaded its flags, and from here on says on standard error what happens to them.
///
/// # Errors
///
/// When the store is not there, or does not answer in time.
pub async fn client() -> Result<Client> {
    let client = Client::builder(store().await?).start().await?;
    let mut events = client.subscribe();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                ClientEvent::FlagsChanged(which) => eprintln!("flags changed: {which:?}"),
                ClientEvent::Freshness(freshness) => eprintln!("flags are {freshness:?}"),
                other => eprintln!("flags: {other:?}"),
            }
        }
    });
    Ok(client)
}

/// Ends when somebody presses Ctrl-C, or when a service manager asks the process to end.
pub async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut asked) => drop(asked.recv().await.is_some()),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = interrupted => {}
        () = terminated => {}
    }
}
