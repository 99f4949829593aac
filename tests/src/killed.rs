//! Writers that are killed while they write.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// A writer, killed when it is dropped.
struct Walker(Child);

impl Drop for Walker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets the program `walker` live for that long from its first commit on, kills it, and returns the last
/// state that it said it had reached.
pub fn after(mut walker: Command, life: Duration) -> Result<Option<u64>> {
    let mut walker = Walker(walker.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?);
    let said = BufReader::new(walker.0.stdout.take().context("no standard output")?);
    let mut said = said.lines();
    // It ends by itself when it cannot write, and then says nothing.
    said.next().context("the writer ended before its first commit")??;
    // The moment is what is random here; nothing waits for anything.
    std::thread::sleep(life);
    walker.0.kill()?;
    walker.0.wait()?;
    let reached = said.map_while(Result::ok).filter_map(|line| line.strip_prefix("reached ")?.parse().ok());
    Ok(reached.max())
}
