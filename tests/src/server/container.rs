//! A server in a container.

use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};
use testcontainers::core::{ContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use tokio::sync::oneshot;

/// Names the image, as `name:tag`; `1` stands for [`DEFAULT`].
pub(super) const VARIABLE: &str = "FLAGS_TEST_REDIS_CONTAINER";
/// What is pulled where nobody says what.
const DEFAULT: &str = "redis:7";
/// Which run of the tests a container belongs to: `cargo xtask test` names its own, and removes what is left
/// of it.
const RUN: &str = "FLAGS_TEST_RUN";
const LABEL: &str = "feature-flags-test-run";

const PORT: ContainerPort = ContainerPort::Tcp(6_379);

/// A server in a container, removed when it is dropped or when the tests are interrupted.
///
/// It lives on a thread of its own, since whoever starts it may be in a runtime and cannot wait there.
#[derive(Debug)]
pub struct Container {
    url: String,
    /// Dropped, it ends the thread.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Container {
    /// Starts one of that image: the name, a colon and the tag, or `1` for the default. It is pulled if it is
    /// not there.
    pub fn start(image: &str) -> Result<Self> {
        let (name, tag) = named(image);
        let (says, answer) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let container = match run(name, tag).await {
                    Ok((container, url)) => {
                        let _ = says.send(Ok(url));
                        container
                    }
                    Err(error) => return drop(says.send(Err(error))),
                };
                let _ = ended.await;
                if let Err(error) = container.rm().await {
                    eprintln!("a container is left: {error}");
                }
            });
        });
        let url = answer.recv().map_err(|_| anyhow!("no runtime to talk to Docker")).flatten();
        let url = url.with_context(|| {
            format!(
                "no server in a container of {image}; next step: see whether `docker run --rm {image}` works, or unset \
                 {VARIABLE} and install redis-server"
            )
        })?;
        Ok(Self { url, end: Some(end), thread: Some(thread) })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn run(name: String, tag: String) -> Result<(ContainerAsync<GenericImage>, String)> {
    let run = std::env::var(RUN).unwrap_or_else(|_| std::process::id().to_string());
    let image = GenericImage::new(name, tag)
        .with_exposed_port(PORT)
        .with_wait_for(WaitFor::message_on_stdout("Ready to accept connections"))
        // Reached from outside of the container, without a password, until a test sets one.
        .with_cmd(["--protected-mode", "no", "--save", "", "--appendonly", "no"])
        .with_label(LABEL, run);
    let container = image.start().await?;
    let (host, port) = (container.get_host().await?, container.get_host_port_ipv4(PORT).await?);
    let url = format!("redis://{host}:{port}");
    Ok((container, url))
}

/// Name and tag. A colon before a slash is that of a registry's port.
fn named(image: &str) -> (String, String) {
    let image = if image == "1" { DEFAULT } else { image };
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), tag.to_owned()),
        _ => (image.to_owned(), "latest".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn an_image_has_a_name_and_a_tag() {
        for (image, name, tag) in [
            ("1", "redis", "7"),
            ("valkey/valkey:8", "valkey/valkey", "8"),
            ("valkey/valkey", "valkey/valkey", "latest"),
            ("localhost:5000/redis", "localhost:5000/redis", "latest"),
            ("localhost:5000/redis:7", "localhost:5000/redis", "7"),
        ] {
            assert_eq!(named(image), (name.to_owned(), tag.to_owned()), "{image}");
        }
    }
}
