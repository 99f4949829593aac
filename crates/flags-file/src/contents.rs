//! [`Contents`]: the records of the file, and their texts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flags_core::storage::{Action, Batch, Effect, Limits, Prepared, Revision};
use flags_core::{Alias, Key, Record, Result, Timestamp};
use flags_memory::{Entry, State};
use rpds::RedBlackTreeMapSync;
use sha1::{Digest, Sha1};

use crate::document::{Broken, Position, read, record_text, render};

/// How many of the records that need a look are named to an operator.
const MOST_NOTES: usize = 10;

/// What the file holds at one moment. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    pub(crate) state: Arc<State>,
    /// The exact text of every record, also of a corrupt one, in the order of the file.
    texts: RedBlackTreeMapSync<Key, Arc<str>>,
    extra: Arc<BTreeMap<String, Arc<str>>>,
    /// The length of all texts together, in bytes.
    size: usize,
    /// What an operator should look at, as it was when the file was last read.
    pub(crate) notes: Arc<[String]>,
}

/// A batch with the texts of its records, made before its turn comes.
#[derive(Debug)]
pub(crate) struct Encoded {
    ops: Vec<Prepared>,
    texts: HashMap<Key, (Arc<str>, Revision)>,
}

impl Encoded {
    /// Checks the batch against the limits, and writes its records down.
    ///
    /// # Errors
    ///
    /// Those of [`Batch::prepare`].
    pub(crate) fn new(batch: Batch, limits: &Limits) -> Result<Self> {
        let ops = batch.prepare(limits)?;
        let mut texts = HashMap::new();
        for op in &ops {
            if let Action::Put { record, .. } = &op.action {
                let text = record_text(record)?;
                let revision = revision(&text);
                texts.insert(op.key.clone(), (text.into(), revision));
            }
        }
        Ok(Self { ops, texts })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// A digest of the stored text: it changes whoever writes the file, and is the same in every process.
fn revision(text: &str) -> Revision {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(40);
    for byte in Sha1::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Revision::new(hex)
}

impl Contents {
    /// Reads the file's bytes. What did not change since `before` is taken over from it, unparsed.
    pub(crate) fn parse(bytes: &[u8], before: &Self) -> Result<Self, Broken> {
        let known: HashMap<&str, &Key> = before.texts.iter().map(|(key, text)| (&**text, key)).collect();
        let elements = read(bytes, |text| known.get(text).map(|key| (*key).clone()))?;
        let whole = std::str::from_utf8(bytes).unwrap_or_default();
        let mut read = Self { extra: Arc::new(elements.extra), ..Self::default() };
        let mut state = State::default();
        let mut notes = Notes::default();
        let mut records = elements.records;
        // Whichever of two records that claim one alias comes first has it, in every process.
        records.sort_by(|a, b| a.key.cmp(&b.key));
        for element in records {
            let (key, text) = (element.key, element.text);
            let kept = before.texts.get(&key).filter(|kept| &***kept == text);
            let (entry, text) = match kept.and_then(|kept| Some((before.state.by_key(&key)?, kept))) {
                Some((entry, kept)) => (entry.clone(), Arc::clone(kept)),
                None => (Entry::from_bytes(&key, text.as_bytes(), revision(text)), Arc::from(text)),
            };
            let place = || Position::of(whole, element.text);
            match entry.record().map(Record::alias) {
                None => notes.add(|| {
                    let why = entry.read(&key).err().map(|error| reason(&error)).unwrap_or_default();
                    format!("{key}, at {}, cannot be read: {why}", place())
                }),
                Some(Some(alias)) => {
                    if let Some(holder) = state.key_of(&alias) {
                        notes.add(|| taken(&key, place(), &alias, holder));
                    }
                }
                Some(None) => {}
            }
            read.size += text.len() + 8;
            read.texts.insert_mut(key.clone(), text);
            state.insert(&key, entry);
        }
        read.state = Arc::new(state);
        read.notes = notes.into();
        Ok(read)
    }

    /// The document that holds it.
    pub(crate) fn render(&self) -> String {
        render(self.texts.iter(), &self.extra, self.size)
    }

    /// How many records there are, expired ones too.
    pub(crate) fn len(&self) -> usize {
        self.texts.size()
    }

    /// Judges a batch, and gives what it leaves behind, what each operation did, and which records changed.
    pub(crate) fn apply(
        &self,
        batch: &Encoded,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<(Self, Vec<Effect>, Vec<Key>)> {
        let current = &self.state;
        let revise = |key: &Key| {
            let stored = current.get(key, now).filter(|entry| is_put(&batch.ops, key, entry.record()));
            match (stored, batch.texts.get(key)) {
                // Somebody may have written it in another style, and keeps it.
                (Some(entry), _) => entry.revision().clone(),
                (None, Some((_, revision))) => revision.clone(),
                (None, None) => Revision::new(""),
            }
        };
        let applied = current.apply(&batch.ops, now, limits, revise)?;
        let mut next = self.clone();
        for key in applied.expired.iter().chain(&applied.changed) {
            if let Some(text) = next.texts.get(key) {
                next.size = next.size.saturating_sub(text.len() + 8);
            }
            let stored = applied.state.by_key(key).and(batch.texts.get(key));
            match stored {
                Some((text, _)) => {
                    next.size += text.len() + 8;
                    next.texts.insert_mut(key.clone(), Arc::clone(text));
                }
                None => {
                    next.texts.remove_mut(key);
                }
            }
        }
        next.state = Arc::new(applied.state);
        Ok((next, applied.effects, applied.changed))
    }

    /// The records that differ from those of an earlier moment.
    pub(crate) fn changed_since(&self, before: &Self) -> Vec<Key> {
        let changed = self.texts.iter().filter(|(key, text)| before.texts.get(key) != Some(text));
        let removed = before.texts.keys().filter(|key| !self.texts.contains_key(key));
        changed.map(|(key, _)| key).chain(removed).cloned().collect()
    }
}

/// Whether the batch puts exactly this record under the key.
fn is_put(ops: &[Prepared], key: &Key, stored: Option<&Record>) -> bool {
    ops.iter().any(|op| {
        op.key == *key && matches!(&op.action, Action::Put { record, .. } if Some(record) == stored)
    })
}

fn taken(key: &Key, place: Position, alias: &Alias, holder: &Key) -> String {
    format!("{key}, at {place}, has the {alias} of {holder}; give it one of its own")
}

/// The reason of an error, with its cause.
fn reason(error: &flags_core::Error) -> String {
    let field = error.field().map_or_else(String::new, |field| format!("{field}: "));
    match std::error::Error::source(error) {
        Some(cause) => format!("{field}{cause}"),
        None => format!("{field}{}", error.reason()),
    }
}

/// Notes for an operator, of which only the first are kept.
#[derive(Debug, Default)]
struct Notes {
    kept: Vec<String>,
    left_out: usize,
}

impl Notes {
    fn add(&mut self, note: impl FnOnce() -> String) {
        if self.kept.len() < MOST_NOTES {
            self.kept.push(note());
        } else {
            self.left_out += 1;
        }
    }
}

impl From<Notes> for Arc<[String]> {
    fn from(mut notes: Notes) -> Self {
        if notes.left_out > 0 {
            notes.kept.push(format!("{} more records need a look", notes.left_out));
        }
        notes.kept.into()
    }
}
