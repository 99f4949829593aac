//! Finds, pulls or makes the image of a server in a container, and removes the containers that tests have
//! left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{fetch, tools};

/// Names an image to the tests, as `name:tag`; `1` stands for [`PUBLIC`].
pub(crate) const VARIABLE: &str = "FLAGS_TEST_REDIS_CONTAINER";
/// Tells the tests how to label their containers.
const RUN: &str = "FLAGS_TEST_RUN";
const LABEL: &str = "feature-flags-test-run";
/// Pulled where a registry can be reached.
const PUBLIC: &str = "redis:7";
/// Made from the local server elsewhere.
const MADE: &str = "feature-flags-test-server";

/// The image to test with, or why there is none. A given one that cannot be had is an error.
pub(crate) fn image(test_tools: &Path, server: Option<&Path>) -> Result<Result<String, String>> {
    if let Err(error) = tools::capture(&mut docker(&["version", "--format", "{{.Server.Version}}"])) {
        let reason = format!("{error:#}");
        return Ok(Err(format!("Docker is not available: {}", reason.lines().last().unwrap_or_default())));
    }
    let given = std::env::var(VARIABLE).ok().filter(|given| given != "1");
    let wanted = given.as_deref().unwrap_or(PUBLIC);
    if is_there(wanted) {
        return Ok(Ok(wanted.to_owned()));
    }
    let pulled = tools::capture(&mut docker(&["pull", "--quiet", wanted]));
    match (pulled, server) {
        (Ok(_), _) => Ok(Ok(wanted.to_owned())),
        (Err(error), _) if given.is_some() => Err(error)
            .with_context(|| format!("{VARIABLE} names {wanted}, which can neither be found nor pulled")),
        (Err(_), Some(server)) => make(test_tools, server).map(Ok),
        (Err(error), None) => Ok(Err(format!("{error:#}"))),
    }
}

fn is_there(image: &str) -> bool {
    tools::capture(&mut docker(&["image", "inspect", "--format", "{{.Id}}", image])).is_ok()
}

/// An image that holds the server program, the libraries that it is linked with, and nothing else.
fn make(test_tools: &Path, server: &Path) -> Result<String> {
    let image = format!("{MADE}:{}", version(server)?);
    if is_there(&image) {
        return Ok(image);
    }
    println!("container: no registry can be reached: making the image {image} from {}", server.display());
    // Not resolved: what a Redis server is depends on the name by which it is called.
    let server = std::path::absolute(server)?;
    let mut files = vec![server.clone()];
    // A static program has none.
    let libraries = tools::capture(Command::new("ldd").arg(&server)).unwrap_or_default();
    files.extend(libraries.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
    fs::create_dir_all(test_tools)?;
    let tar = test_tools.join("image.tar");
    let relative = files.iter().map(|file| file.strip_prefix("/").unwrap_or(file));
    let mut packing = Command::new("tar");
    packing.args(["--create", "--dereference", "--directory", "/", "--file"]).arg(&tar).args(relative);
    tools::capture(&mut packing)?;
    let entrypoint = format!("ENTRYPOINT {}", serde_json::to_string(&[&server])?);
    let mut import = docker(&["import", "--change", "EXPOSE 6379", "--change", &entrypoint]);
    tools::capture(import.arg(&tar).arg(&image))?;
    fs::remove_file(&tar)?;
    Ok(image)
}

/// Name and version, such as `redis-7.0.15`.
fn version(server: &Path) -> Result<String> {
    let said = tools::capture(Command::new(server).arg("--version"))?;
    let (name, number) =
        fetch::version(&said).with_context(|| format!("{} says that it is {said:?}", server.display()))?;
    Ok(format!("{}-{number}", name.to_lowercase()))
}

/// The containers of this run of the tests: whatever a test that was killed has left is removed at the end.
#[derive(Debug)]
pub(crate) struct Run(String);

impl Run {
    pub(crate) fn new() -> Self {
        // Others with the same Docker may have processes of the same number.
        let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self(format!("{}-{}", std::process::id(), since.as_nanos()))
    }

    /// What tells the tests.
    pub(crate) fn variable(&self) -> [(&'static str, &str); 1] {
        [(RUN, &self.0)]
    }

    fn clean_up(&self) -> Result<()> {
        if tools::capture(&mut docker(&["version"])).is_err() {
            return Ok(());
        }
        let ours = format!("label={LABEL}={}", self.0);
        let left = tools::capture(&mut docker(&["ps", "--all", "--quiet", "--filter", &ours]))?;
        for container in left.split_whitespace() {
            tools::capture(&mut docker(&["rm", "--force", "--volumes", container]))?;
            println!("container: removed {container}, which a test had left");
        }
        Ok(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Err(error) = self.clean_up() {
            eprintln!("container: look for containers with the label {LABEL}: {error:#}");
        }
    }
}

fn docker(args: &[&str]) -> Command {
    let mut docker = Command::new("docker");
    docker.args(args);
    docker
}
