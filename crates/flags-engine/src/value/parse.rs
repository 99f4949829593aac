//! JSON text to [`Value`].
//!
//! Of `serde_json` alone this would round integers beyond 64 bits and refuse `1e400`. Strings, where
//! the work is, are left to it.

use std::sync::Arc;

use super::{Inner, Int, Object, Value};

/// How deeply lists and objects may nest. Stores take 100 levels.
pub const MAX_DEPTH: usize = 128;

/// A JSON text that is no [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidValue {
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("lists and objects nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// It is no JSON.
    #[error("not a JSON value")]
    NotJson,
}

/// Parses a text that is known to be valid JSON; another one is refused or misread, but never panics.
pub(crate) fn parse(text: &str) -> Result<Value, InvalidValue> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at == text.len() { Ok(value) } else { Err(InvalidValue::NotJson) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, InvalidValue> {
        if depth > MAX_DEPTH {
            return Err(InvalidValue::TooDeep);
        }
        self.space();
        Ok(Value(match self.peek() {
            Some(b'n') => self.word("null", Inner::Null)?,
            Some(b't') => self.word("true", Inner::Bool(true))?,
            Some(b'f') => self.word("false", Inner::Bool(false))?,
            Some(b'"') => Inner::Str(self.string()?.into()),
            Some(b'[') => Inner::List(self.list(depth)?),
            Some(b'{') => Inner::Object(self.object(depth)?),
            _ => self.number()?,
        }))
    }

    fn list(&mut self, depth: usize) -> Result<Arc<[Value]>, InvalidValue> {
        self.at += 1;
        let mut items = Vec::new();
        if !self.ends(b']') {
            loop {
                items.push(self.value(depth + 1)?);
                if !self.another(b']')? {
                    break;
                }
            }
        }
        Ok(items.into())
    }

    fn object(&mut self, depth: usize) -> Result<Arc<Object>, InvalidValue> {
        self.at += 1;
        let mut members = Vec::new();
        if !self.ends(b'}') {
            loop {
                self.space();
                let name = self.string()?.into();
                self.space();
                self.expect(b':')?;
                members.push((name, self.value(depth + 1)?));
                if !self.another(b'}')? {
                    break;
                }
            }
        }
        Ok(Arc::new(Object::new(members)))
    }

    fn number(&mut self) -> Result<Inner, InvalidValue> {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let number = &rest[..end];
        self.at += end;
        if number.strip_prefix('-').unwrap_or(number).bytes().all(|byte| byte.is_ascii_digit())
            && number.len() <= 18
        {
            return number
                .parse()
                .map(|small| Inner::Int(Int::Small(small)))
                .map_err(|_| InvalidValue::NotJson);
        }
        if number.contains(['.', 'e', 'E']) {
            return number.parse().map(Inner::Float).map_err(|_| InvalidValue::NotJson);
        }
        if number.is_empty() { Err(InvalidValue::NotJson) } else { Ok(Inner::Int(Int::from_json(number))) }
    }

    fn string(&mut self) -> Result<String, InvalidValue> {
        let start = self.at;
        self.expect(b'"')?;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => return Err(InvalidValue::NotJson),
            }
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).ok_or(InvalidValue::NotJson)?;
        if escaped {
            serde_json::from_str(quoted).map_err(|_| InvalidValue::NotJson)
        } else {
            Ok(quoted[1..quoted.len() - 1].to_owned())
        }
    }

    fn word(&mut self, word: &str, value: Inner) -> Result<Inner, InvalidValue> {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += word.len();
        if found { Ok(value) } else { Err(InvalidValue::NotJson) }
    }

    /// Whether the list or object ends here, before its first element.
    fn ends(&mut self, close: u8) -> bool {
        self.space();
        let ends = self.peek() == Some(close);
        self.at += usize::from(ends);
        ends
    }

    /// Whether another element follows this one.
    fn another(&mut self, close: u8) -> Result<bool, InvalidValue> {
        self.space();
        let next = self.peek();
        self.at += 1;
        match next {
            Some(b',') => Ok(true),
            Some(byte) if byte == close => Ok(false),
            _ => Err(InvalidValue::NotJson),
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), InvalidValue> {
        let found = self.peek() == Some(byte);
        self.at += 1;
        if found { Ok(()) } else { Err(InvalidValue::NotJson) }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}
