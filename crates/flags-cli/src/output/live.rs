//! A table that is drawn again where it stands.

use console::Term;
use feature_flags::Kind;
use feature_flags::storage::Stored;

use super::{FlagNames, count, table};
use crate::failure::Failure;

/// How many of the latest changes are shown below the table.
const LATEST: usize = 5;

/// The flags of a store and the latest changes, on a terminal.
pub(crate) struct Live {
    terminal: Term,
    drawn: usize,
    latest: Vec<String>,
}

impl Live {
    /// Where standard output is a terminal.
    pub(crate) fn on_terminal() -> Option<Self> {
        let terminal = Term::stdout();
        terminal.is_term().then(|| Self { terminal, drawn: 0, latest: Vec::new() })
    }

    /// A change to show from the next drawing on.
    pub(crate) fn tell(&mut self, line: String) {
        if self.latest.len() == LATEST {
            self.latest.remove(0);
        }
        self.latest.push(line);
    }

    /// Draws the flags, as many as fit, in the place of what was drawn before.
    pub(crate) fn draw<'a>(
        &mut self,
        flags: impl ExactSizeIterator<Item = &'a Stored>,
        state: &str,
    ) -> Result<(), Failure> {
        let (rows, columns) = self.terminal.size();
        let lines = lines(flags, state, &self.latest, usize::from(rows));
        self.terminal.clear_last_lines(self.drawn)?;
        for line in &lines {
            // One that wraps would take two lines away the next time.
            self.terminal.write_line(&console::truncate_str(line, usize::from(columns), "…"))?;
        }
        self.drawn = lines.len();
        Ok(())
    }
}

/// What a terminal of so many rows shows. The last row is the cursor's: a line there would scroll the first
/// one away.
fn lines<'a>(
    flags: impl ExactSizeIterator<Item = &'a Stored>,
    state: &str,
    latest: &[String],
    rows: usize,
) -> Vec<String> {
    let number = flags.len();
    let rows = rows.saturating_sub(1).max(3);
    // A header, a flag and the state are shown first.
    let told = latest.len().min(rows - 3);
    let room = rows - 1 - told;
    // Each takes a line or more: there is no use in laying out a thousand that nobody sees.
    let shown: Vec<Stored> = flags.take(room).cloned().collect();
    let mut lines: Vec<String> =
        table::table(Kind::Flag, &shown, &FlagNames::new()).lines().map(str::to_owned).collect();
    if lines.len() > room {
        lines.truncate(room - 1);
        lines.push(format!("… of {}", count(number, "flag")));
    }
    lines.push(format!("-- {state}"));
    lines.extend(latest.iter().skip(latest.len() - told).cloned());
    lines
}

#[cfg(test)]
mod tests {
    use feature_flags::storage::Revision;
    use feature_flags::{Flag, FlagKey};

    use super::*;

    #[test]
    fn what_is_drawn_fits_the_terminal() {
        let flags: Vec<Stored> = (0..30)
            .map(|number| {
                let key = FlagKey::new(format!("flag-{number:02}")).expect("a key");
                Stored::new(Flag::new(key).into(), Revision::new("r"))
            })
            .collect();
        let latest: Vec<String> = (0..LATEST).map(|number| format!("change {number}")).collect();
        for rows in 0..50 {
            let drawn = lines(flags.iter(), "following", &latest, rows);
            assert!(drawn.len() < rows.max(4), "{rows}: {drawn:#?}");
            assert!(drawn[0].starts_with("KEY"), "{rows}: {drawn:#?}");
            assert!(drawn.contains(&"-- following".to_owned()), "{rows}: {drawn:#?}");
            let all = flags.iter().all(|flag| {
                drawn
                    .iter()
                    .any(|line| line.starts_with(flag.record.key().to_string().trim_start_matches("flag:")))
            });
            assert_eq!(all, !drawn.contains(&"… of 30 flags".to_owned()), "{rows}: {drawn:#?}");
            assert_eq!(all, rows > 37, "{rows}");
            let told = drawn.iter().filter(|line| line.starts_with("change ")).count();
            assert_eq!(told, rows.saturating_sub(4).min(LATEST), "{rows}: {drawn:#?}");
            assert!(told == 0 || drawn.last() == latest.last(), "{rows}: {drawn:#?}");
        }
    }
}
