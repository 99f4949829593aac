//! The origin, doing the same jobs in a process of its own.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flags_benches::flag;
use flags_core::Record;
use flags_tests::server::unique_prefix;

use crate::timing::Table;

/// Prints the median seconds of each operation, as JSON.
const SCRIPT: &str = include_str!("origin.py");

/// Adds the origin's times, if there is a Python that has it.
pub(crate) fn measure(table: &mut Table, url: &str) -> Result<()> {
    let Some(python) = std::env::var_os("FLAGS_TEST_ORIGIN_PYTHON") else {
        println!("FLAGS_TEST_ORIGIN_PYTHON is not set, so the origin is not measured");
        return Ok(());
    };
    let flag = String::from_utf8(Record::from(flag(0)).encode()?)?;
    let output = Command::new(python).args(["-c", SCRIPT, url, &unique_prefix(), &flag]).output()?;
    ensure!(output.status.success(), "the origin failed: {}", String::from_utf8_lossy(&output.stderr));
    let medians: BTreeMap<String, f64> = serde_json::from_slice(&output.stdout).context("its medians")?;
    for (name, seconds) in medians {
        table.add_origin(&name, Duration::from_secs_f64(seconds));
    }
    Ok(())
}
