//! [`Contents`]: the records of the file, and their texts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flags_core::storage::{Action, Batch, Effect, Limits, Prepared, Revision};
use flags_core::{Key, Record, Result, Timestamp};
use flags_memory::{Entry, State};
use rpds::RedBlackTreeMapSync;
use sha1::{Digest, Sha1};

use crate::document::{Broken, Element, Position, key_of, read, record_text, render};
use crate::notes::{Notes, reason, twin};

/// What the file holds at one moment. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    pub(crate) state: Arc<State>,
    /// The exact text of every record, also of a corrupt one, in the order of the file.
    texts: RedBlackTreeMapSync<Key, Arc<str>>,
    extra: Arc<BTreeMap<String, Arc<str>>>,
    /// The length of all texts together, in bytes.
    size: usize,
    /// What an operator should look at.
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
        // The records come in the order of before, by and large, and most of them are the same.
        let mut expected = before.texts.iter().peekable();
        let elements = read(bytes, |kind, text| {
            if let Some((key, _)) = expected.next_if(|(key, same)| key.kind() == kind && &***same == text) {
                return Some(key.clone());
            }
            let key = key_of(kind, text)?;
            while expected.next_if(|(before, _)| **before <= key).is_some() {}
            Some(key)
        })?;
        let mut records = elements.records;
        records.sort_by(|a, b| a.key.cmp(&b.key));
        let whole = std::str::from_utf8(bytes).unwrap_or_default();
        let mut read = Self { extra: Arc::new(elements.extra), ..Self::default() };
        let mut changed: HashMap<Key, Entry> = HashMap::new();
        let mut notes = Notes::default();
        for Element { key, text: element } in &records {
            let kept = before.texts.get(key).filter(|kept| &***kept == *element);
            let (entry, text) = match kept.and_then(|kept| Some((before.state.by_key(key)?, kept))) {
                Some((entry, kept)) => (entry, Arc::clone(kept)),
                None => {
                    let entry = Entry::from_bytes(key, element.as_bytes(), revision(element));
                    (&*changed.entry(key.clone()).or_insert(entry), Arc::from(*element))
                }
            };
            if entry.record().is_none() {
                notes.add(|| {
                    let why = entry.read(key).err().map(|error| reason(&error)).unwrap_or_default();
                    format!("{key}, at {}, cannot be read: {why}", Position::of(whole, element))
                });
            }
            read.size += text.len() + 8;
            read.texts.insert_mut(key.clone(), text);
        }
        let state = before.followed_by(&read, &changed);
        for (key, holder) in state.twins() {
            notes.add(|| {
                let found = records.binary_search_by(|element| element.key.cmp(key)).ok();
                let element = found.and_then(|found| records.get(found));
                twin(key, element.map(|element| Position::of(whole, element.text)), holder)
            });
        }
        read.state = Arc::new(state);
        read.notes = notes.into();
        Ok(read)
    }

    /// The same after it was written as `text`: what an operator should look at is told as it is
    /// there.
    pub(crate) fn written(self, text: &str) -> Self {
        if self.notes.is_empty() {
            return self;
        }
        // Rare enough to read it like somebody else's.
        Self::parse(text.as_bytes(), &self).unwrap_or(self)
    }

    /// The state of `next`, of which `changed` are the records that this one does not have.
    fn followed_by(&self, next: &Self, changed: &HashMap<Key, Entry>) -> State {
        if !self.state.has_twins() {
            let mut state = State::clone(&self.state);
            let gone = self.texts.keys().filter(|key| !next.texts.contains_key(key));
            gone.chain(changed.keys()).for_each(|key| state.remove(key));
            changed.iter().for_each(|(key, entry)| state.insert(key, entry.clone()));
            if !state.has_twins() {
                return state;
            }
        }
        // Whichever of two records that claim one alias comes first has it, in every process, whatever that
        // met before.
        let mut state = State::default();
        for key in next.texts.keys() {
            if let Some(entry) = changed.get(key).or_else(|| self.state.by_key(key)) {
                state.insert(key, entry.clone());
            }
        }
        state
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
