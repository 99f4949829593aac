//! The Python in the README, as it is written there.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use flags_core::{Flag, FlagKey};

use crate::common::Pair;

const README: &str = include_str!("../../../README.md");

#[tokio::test(flavor = "multi_thread")]
async fn a_python_service_sees_the_flag_that_the_readme_makes() -> Result<()> {
    let pair = Pair::new().await?;
    let shown = README.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.context("the README has Python")?;
    let (url, prefix) = ("redis://localhost:6379", "\"feature_flags:\"");
    ensure!(shown.contains(url) && shown.contains(prefix), "{shown}");
    let body = shown.replace(url, &pair.url()).replace(prefix, &format!("{:?}", pair.prefix));
    let indented: String = body.lines().map(|line| format!("    {line}\n")).collect();
    let program = format!("import asyncio\nasync def main():\n{indented}\nasyncio.run(main())\n");

    let python = std::env::var("FLAGS_TEST_ORIGIN_PYTHON").context("`cargo xtask test` sets it")?;
    let run = || Command::new(&python).args(["-c", &program]).output();
    let before = run()?;
    let said = String::from_utf8_lossy(&before.stderr).into_owned();
    ensure!(!before.status.success() && said.contains("AssertionError"), "without the flag: {said}");

    let mut flag = Flag::new(FlagKey::new("new-search")?);
    flag.default_enabled = true;
    pair.ours.create_flag(flag).await?;
    let after = run()?;
    ensure!(after.status.success(), "{}", String::from_utf8_lossy(&after.stderr));
    Ok(())
}
