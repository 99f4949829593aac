//! Where commands and replies begin and end: the outline of RESP 2 and 3, without the values.

/// Reads a stream in whatever parts it comes.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// How many values are missing until the message is complete; 0 between two messages.
    missing: u64,
    /// The line that tells type and length of the current value, as far as it has come.
    line: Vec<u8>,
    /// How many bytes of its text are missing.
    text: usize,
    /// A push, which answers no command.
    push: bool,
}

/// The next bytes of a stream, all of one message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) length: usize,
    /// Whether a command or a reply begins with it.
    pub(super) begins: bool,
}

impl Frames {
    /// The piece at the beginning of these bytes, which are at least one: up to the end of the message, if it
    /// is among them.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Piece {
        let begins = self.missing == 0;
        if begins {
            self.missing = 1;
            self.push = bytes.first() == Some(&b'>');
        }
        let mut at = 0;
        while self.missing > 0 && at < bytes.len() {
            if self.text > 0 {
                let here = self.text.min(bytes.len() - at);
                self.text -= here;
                at += here;
            } else {
                self.line.push(bytes[at]);
                at += 1;
                if self.line.ends_with(b"\r\n") {
                    self.value();
                }
                continue;
            }
            if self.text == 0 {
                self.missing -= 1;
            }
        }
        Piece { length: at, begins: begins && !self.push }
    }

    /// The line of a value is complete.
    fn value(&mut self) {
        let line = std::mem::take(&mut self.line);
        let number = || -> Option<u64> { std::str::from_utf8(&line).ok()?.get(1..)?.trim_end().parse().ok() };
        // A null has the length -1, and nothing follows.
        match (line[0], number()) {
            (b'$' | b'!' | b'=', Some(length)) => self.text = usize::try_from(length).unwrap_or(0) + 2,
            (b'*' | b'~' | b'>', Some(values)) => self.missing = self.missing - 1 + values,
            (b'%', Some(pairs)) => self.missing = self.missing - 1 + 2 * pairs,
            // Attributes precede the value that they are about.
            (b'|', Some(pairs)) => self.missing += 2 * pairs,
            _ => self.missing -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: [&str; 9] = [
        "*2\r\n$3\r\nGET\r\n$5\r\n\r\n*1\r\r\n",
        "PING\r\n",
        "+OK\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        "*0\r\n",
        "*3\r\n:1\r\n*2\r\n$1\r\na\r\n*-1\r\n-ERR no\r\n",
        "%1\r\n+a\r\n~2\r\n,1.5\r\n_\r\n",
        "|1\r\n+a\r\n:1\r\n=5\r\ntxt:a\r\n",
    ];

    #[test]
    fn messages_end_where_they_end_however_they_come() {
        let all = MESSAGES.concat().into_bytes();
        let ends: Vec<usize> = MESSAGES
            .iter()
            .scan(0, |end, message| {
                *end += message.len();
                Some(*end)
            })
            .collect();
        for part in 1..=all.len() {
            let (mut frames, mut begun) = (Frames::default(), Vec::new());
            for (number, mut bytes) in all.chunks(part).enumerate() {
                let mut at = number * part;
                while !bytes.is_empty() {
                    let piece = frames.next(bytes);
                    begun.extend(piece.begins.then_some(at));
                    at += piece.length;
                    bytes = &bytes[piece.length..];
                }
            }
            assert_eq!(begun[0], 0);
            assert_eq!(begun[1..], ends[..ends.len() - 1], "in parts of {part}");
            assert_eq!(frames.missing, 0);
        }
    }

    #[test]
    fn a_push_is_no_reply() {
        let mut frames = Frames::default();
        assert_eq!(frames.next(b">1\r\n+a\r\n+OK\r\n"), Piece { length: 8, begins: false });
        assert_eq!(frames.next(b"+OK\r\n"), Piece { length: 5, begins: true });
    }
}
