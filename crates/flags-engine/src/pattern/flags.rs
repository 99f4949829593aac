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
    /// Both `a` and `u` were asked for, each by itself.
    pub(super) contradict: bool,
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

    /// Sets what stands in one pair of parentheses; which of `a` and `u` is among them.
    pub(super) fn set_all(&mut self, letters: &[char]) -> Result<Option<char>, Refused> {
        for letter in letters {
            self.set(*letter, true)?;
        }
        let mut charsets = ['a', 'u'].into_iter().filter(|letter| letters.contains(letter));
        match (charsets.next(), charsets.next()) {
            (_, Some(_)) => Err(Refused::Malformed("the flags `a` and `u` together")),
            (charset, None) => Ok(charset),
        }
    }

    pub(super) fn check(self) -> Result<Self, Refused> {
        if self.ignore_case && self.ascii {
            return Err(Refused::Unsupported("the flags `a` and `i` together"));
        }
        Ok(self)
    }
}
