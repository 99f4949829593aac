//! A table that is drawn again where it stands.

use console::Term;
use feature_flags::Kind;
use feature_flags::storage::Stored;

use super::{FlagNames, table};
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
    pub(crate) fn draw(&mut self, flags: &[Stored], state: &str) -> Result<(), Failure> {
        let (rows, columns) = self.terminal.size();
        let mut lines: Vec<String> =
            table::table(Kind::Flag, flags, &FlagNames::new()).lines().map(str::to_owned).collect();
        // The header stays, and so do the line below the table and the latest changes.
        let room = usize::from(rows).saturating_sub(self.latest.len() + 3).max(2);
        if lines.len() > room {
            let hidden = lines.len() - room + 1;
            lines.truncate(room - 1);
            lines.push(format!("… {hidden} more lines"));
        }
        lines.push(format!("-- {state}"));
        lines.extend(self.latest.iter().cloned());
        self.terminal.clear_last_lines(self.drawn)?;
        for line in &lines {
            // One that wraps would take two lines away the next time.
            self.terminal.write_line(&console::truncate_str(line, usize::from(columns), "…"))?;
        }
        self.drawn = lines.len();
        Ok(())
    }
}
