//! From Python's syntax to that of the `regex` crate.

use std::collections::BTreeSet;

use super::class::{self, literal};
use super::escape::{self, Escape};
use super::flags::Flags;
use super::{MAX_COUNTED, MAX_DEPTH, Refused};
use crate::raised::Raised;

/// Python takes no greater repetition number.
const MAX_REPEAT: u64 = 4_294_967_295;

pub(super) fn translate(pattern: &str) -> Result<String, Refused> {
    let chars = pattern.chars().collect();
    let mut translator =
        Translator { chars, at: 0, out: String::new(), names: BTreeSet::new(), places: 0, counted: 0 };
    let flags = translator.global_flags()?;
    translator.out.push_str(if flags.ignore_case { r"\A(?i:" } else { r"\A(?:" });
    translator.alternatives(flags, 0)?;
    if translator.at < translator.chars.len() {
        return Err(Refused::Malformed("a `)` without its `(`"));
    }
    if flags.contradict {
        // Python looks at this last.
        return Err(Refused::Raises(Raised::FlagsContradict));
    }
    if translator.counted > MAX_COUNTED {
        return Err(Refused::TooLarge(format!("what it counts comes to more than {MAX_COUNTED} characters")));
    }
    translator.out.push(')');
    Ok(translator.out)
}

/// What stands before a quantifier.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Position,
    Item,
    Quantified,
}

struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
    names: BTreeSet<String>,
    /// How many characters, classes and the like there are so far, each as often as it is counted.
    places: u64,
    /// Those of them that are counted more than once.
    counted: u64,
}

impl Translator {
    /// `(?i)` and the like, which Python takes before anything else alone.
    fn global_flags(&mut self) -> Result<Flags, Refused> {
        let mut flags = Flags::default();
        let mut charset = None;
        loop {
            if flags.verbose {
                self.blank();
            }
            let before = self.at;
            if self.comment()? {
                continue;
            }
            if !self.take("(?") {
                break;
            }
            let letters = self.chars[self.at..].iter().take_while(|c| c.is_ascii_alphabetic()).count();
            if letters == 0 || self.chars.get(self.at + letters) != Some(&')') {
                self.at = before;
                break;
            }
            let letters: Vec<char> = self.chars[self.at..self.at + letters].to_vec();
            let chosen = flags.set_all(&letters)?;
            flags.contradict |= charset.is_some() && chosen.is_some() && chosen != charset;
            charset = charset.or(chosen);
            self.at += letters.len() + 1;
        }
        flags.check()
    }

    /// Branches up to a closing parenthesis or the end. Whether one of them ends in a `$`.
    fn alternatives(&mut self, flags: Flags, depth: usize) -> Result<bool, Refused> {
        if depth > MAX_DEPTH {
            return Err(Refused::TooLarge("its groups nest too deep".to_owned()));
        }
        let mut dollar = self.branch(flags, depth)?;
        while self.take("|") {
            self.out.push('|');
            dollar |= self.branch(flags, depth)?;
        }
        Ok(dollar)
    }

    fn branch(&mut self, flags: Flags, depth: usize) -> Result<bool, Refused> {
        let (mut before, mut dollar) = (Before::Nothing, false);
        let mut start_of_item = self.places;
        loop {
            if flags.verbose {
                self.blank();
            }
            let Some(c) = self.chars.get(self.at).copied() else { return Ok(dollar) };
            if matches!(c, '|' | ')') {
                return Ok(dollar);
            }
            if self.comment()? {
                continue;
            }
            if let Some((quantifier, times)) = self.quantifier()? {
                if dollar && !matches!(&*quantifier, "?" | "??") {
                    return Err(Refused::Unsupported("a `$` that may be repeated"));
                }
                match before {
                    Before::Item => {}
                    Before::Quantified => return Err(Refused::Malformed("a quantifier of a quantifier")),
                    _ => return Err(Refused::Malformed("a quantifier of nothing")),
                }
                self.out.push_str(&quantifier);
                self.repeat(start_of_item, times);
                before = Before::Quantified;
                continue;
            }
            if dollar {
                return Err(Refused::Unsupported("a `$` with something after it"));
            }
            start_of_item = self.places;
            (before, dollar) = self.item(c, flags, depth)?;
        }
    }

    /// Counts what came since `start` so many times.
    fn repeat(&mut self, start: u64, times: u64) {
        if times > 1 {
            let all = (self.places - start).saturating_mul(times);
            self.places = start.saturating_add(all);
            self.counted = self.counted.saturating_add(all);
        }
    }

    /// One item, and whether it may end in a `$`.
    fn item(&mut self, c: char, flags: Flags, depth: usize) -> Result<(Before, bool), Refused> {
        self.at += 1;
        match c {
            '.' => self.out.push_str(if flags.dot_all { "(?s:.)" } else { r"[^\n]" }),
            '^' => {
                self.out.push_str(if flags.multi_line { "(?m:^)" } else { r"\A" });
                return Ok((Before::Position, false));
            }
            '$' => {
                self.out.push_str(if flags.multi_line { "(?m:$)" } else { r"(?:\n?\z)" });
                return Ok((Before::Position, !flags.multi_line));
            }
            '[' => class::translate(&self.chars, &mut self.at, flags, &mut self.out)?,
            '(' => return self.group(flags, depth).map(|dollar| (Before::Item, dollar)),
            '\\' => match escape::read(&self.chars, &mut self.at, flags, false)? {
                Escape::Literal(c) => literal(c, &mut self.out),
                Escape::Category(class) => self.out.push_str(class),
                Escape::At(position) => {
                    self.out.push_str(position);
                    return Ok((Before::Position, false));
                }
            },
            c => literal(c, &mut self.out),
        }
        self.places = self.places.saturating_add(1);
        Ok((Before::Item, false))
    }

    /// A group, after its `(`. Nobody asks for what groups captured, so none does.
    fn group(&mut self, flags: Flags, depth: usize) -> Result<bool, Refused> {
        let mut inner = flags;
        if self.take("?") {
            if self.take("P<") {
                self.name()?;
            } else if !self.take(":") {
                inner = self.scoped_flags(flags)?;
            }
        }
        self.out.push_str(match (flags.ignore_case, inner.ignore_case) {
            (false, true) => "(?i:",
            (true, false) => "(?-i:",
            _ => "(?:",
        });
        let dollar = self.alternatives(inner, depth + 1)?;
        if !self.take(")") {
            return Err(Refused::Malformed("a `(` without its `)`"));
        }
        self.out.push(')');
        Ok(dollar)
    }

    fn name(&mut self) -> Result<(), Refused> {
        let name: String = self.chars[self.at..].iter().take_while(|c| **c != '>').collect();
        self.at += name.chars().count();
        let good = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if good && self.take(">") && self.names.insert(name) {
            Ok(())
        } else {
            Err(Refused::Malformed("the name of a group"))
        }
    }

    /// `i-s:` and the like, after `(?`.
    fn scoped_flags(&mut self, outer: Flags) -> Result<Flags, Refused> {
        for (start, why) in [
            ("=", "look-ahead"),
            ("!", "look-ahead"),
            ("<=", "look-behind"),
            ("<!", "look-behind"),
            (">", "an atomic group"),
            ("(", "a conditional group"),
            ("P=", "a back-reference"),
        ] {
            if self.take(start) {
                return Err(Refused::Unsupported(why));
            }
        }
        let letters: Vec<char> = self.chars[self.at..].iter().take_while(|c| **c != ':').copied().collect();
        self.at += letters.len();
        let mut parts = letters.splitn(2, |c| *c == '-');
        let (on, off) = (parts.next().unwrap_or_default(), parts.next());
        let named = |letters: &[char]| letters.iter().all(char::is_ascii_alphabetic);
        let empty = letters.is_empty() || off.is_some_and(<[char]>::is_empty);
        if empty || !named(on) || !off.is_none_or(named) || !self.take(":") {
            let why = "an unknown kind of group, or flags that are not at the start";
            return Err(Refused::Malformed(why));
        }
        let mut flags = outer;
        flags.set_all(on)?;
        for letter in off.unwrap_or_default() {
            if on.contains(letter) {
                return Err(Refused::Malformed("a flag that is both on and off"));
            }
            flags.set(*letter, false)?;
        }
        flags.check()
    }

    /// A quantifier, if one is here, and how many copies of what it repeats it takes. Braces of another form
    /// are text.
    fn quantifier(&mut self) -> Result<Option<(String, u64)>, Refused> {
        let (counted, times) = match self.chars.get(self.at) {
            Some('*' | '+' | '?') => {
                self.at += 1;
                (self.chars[self.at - 1].to_string(), 1)
            }
            Some('{') => match self.counts()? {
                Some(counts) => counts,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        if self.take("+") {
            return Err(Refused::Unsupported("a possessive quantifier"));
        }
        Ok(Some((if self.take("?") { counted + "?" } else { counted }, times)))
    }

    fn counts(&mut self) -> Result<Option<(String, u64)>, Refused> {
        let before = self.at;
        self.at += 1;
        if self.chars.get(self.at) == Some(&'}') {
            self.at = before;
            return Ok(None);
        }
        let low = self.digits();
        let high = if self.take(",") { self.digits() } else { low.clone() };
        if !self.take("}") {
            self.at = before;
            return Ok(None);
        }
        let read = |digits: &str| match digits.parse::<u64>() {
            _ if digits.is_empty() => Ok(None),
            Ok(number) if number < MAX_REPEAT => Ok(Some(number)),
            _ => Err(Refused::Raises(Raised::RepetitionTooLarge)),
        };
        match (read(&low)?.unwrap_or(0), read(&high)?) {
            (low, Some(high)) if high < low => {
                Err(Refused::Malformed("a quantifier whose maximum is below its minimum"))
            }
            (low, Some(high)) => Ok(Some((format!("{{{low},{high}}}"), high))),
            (low, None) => Ok(Some((format!("{{{low},}}"), low))),
        }
    }

    fn digits(&mut self) -> String {
        let digits: String = self.chars[self.at..].iter().take_while(|c| c.is_ascii_digit()).collect();
        self.at += digits.len();
        digits
    }

    /// A comment in parentheses, if one is here.
    fn comment(&mut self) -> Result<bool, Refused> {
        if !self.take("(?#") {
            return Ok(false);
        }
        let end = self.chars[self.at..].iter().position(|c| *c == ')');
        self.at += 1 + end.ok_or(Refused::Malformed("a comment that does not end"))?;
        Ok(true)
    }

    /// White space and comments of the verbose form.
    fn blank(&mut self) {
        while let Some(c) = self.chars.get(self.at) {
            if *c == '#' {
                let line = self.chars[self.at..].iter().take_while(|c| **c != '\n').count();
                self.at += line;
            } else if matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}') {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    fn take(&mut self, text: &str) -> bool {
        let length = text.len();
        let here = self.chars.iter().skip(self.at).take(length).copied().eq(text.chars());
        self.at += if here { length } else { 0 };
        here
    }
}
