//! Timing in turns, and the table that comes of it.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;

/// One operation, timed in turns.
pub(crate) struct Row {
    name: String,
    turns: usize,
    /// How often the operation is done in one turn, on each side.
    repeats: u32,
    raw: Vec<Duration>,
    ours: Vec<Duration>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, turns: usize, repeats: u32) -> Self {
        Self { name: name.into(), turns, repeats, raw: Vec::new(), ours: Vec::new() }
    }

    /// The next turn, while there are any.
    pub(crate) fn turn(&mut self) -> Option<Turn<'_>> {
        (self.ours.len() < self.turns).then_some(Turn { row: self })
    }
}

pub(crate) struct Turn<'a> {
    row: &'a mut Row,
}

impl Turn<'_> {
    pub(crate) async fn raw<T>(&mut self, operation: impl AsyncFn() -> Result<T>) -> Result<()> {
        let time = time(self.row.repeats, operation).await?;
        self.row.raw.push(time);
        Ok(())
    }

    pub(crate) async fn ours<T>(&mut self, operation: impl AsyncFn() -> Result<T>) -> Result<()> {
        let time = time(self.row.repeats, operation).await?;
        self.row.ours.push(time);
        Ok(())
    }
}

/// The time of one operation, of so many in a row.
async fn time<T>(repeats: u32, operation: impl AsyncFn() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    for _ in 0..repeats {
        black_box(operation().await?);
    }
    Ok(start.elapsed() / repeats)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What came of each operation.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(String, Duration, Duration, Option<Duration>)>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push((row.name, median(row.raw), median(row.ours), None));
    }

    /// The origin's median for an operation of that name.
    pub(crate) fn add_origin(&mut self, name: &str, time: Duration) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.0 == name) {
            row.3 = Some(time);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |time: Duration| format!("{:.1} us", time.as_secs_f64() * 1e6);
        let ratio = |a: Duration, b: Duration| format!("{:.2}x", a.as_secs_f64() / b.as_secs_f64());
        writeln!(
            f,
            "medians             {:>14} {:>14} {:>9} {:>14} {:>9}",
            "raw client", "ours", "/ raw", "origin", "/ ours"
        )?;
        for (name, raw, ours, origin) in &self.rows {
            write!(f, "{name:<24} {:>9} {:>14} {:>9}", micros(*raw), micros(*ours), ratio(*ours, *raw))?;
            match origin {
                Some(origin) => writeln!(f, " {:>14} {:>9}", micros(*origin), ratio(*origin, *ours))?,
                None => writeln!(f, " {:>14} {:>9}", "-", "-")?,
            }
        }
        Ok(())
    }
}
