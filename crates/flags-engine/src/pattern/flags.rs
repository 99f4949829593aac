//! The flags of a pattern or a group.

use super::Refused;

/// Those that change a translation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) multi_line: bool,
    pub(super) dot_all: bool,
    pub(super) verbose: bool,
    pub(super) ascii: bool,
}

impl Flags {
    pub(super) fn set(&mut self, letter: char, on: bool) -> Result<(), Refused> {
        match letter {
            'i' => self.ignore_case = on,
            'm' => self.multi_line = on,
            's' => self.dot_all = on,
            'x' => self.verbose = on,
            'a' if on => self.ascii = true,
            'u' if on => self.ascii = false,
            _ => return Err(Refused::Malformed("an unknown flag")),
        }
        Ok(())
    }

    pub(super) fn check(self) -> Result<Self, Refused> {
        if self.ignore_case && self.ascii {
            return Err(Refused::Unsupported("the flags `a` and `i` together"));
        }
        Ok(self)
    }
}
