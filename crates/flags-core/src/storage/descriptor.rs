//! What a backend says of itself.

use std::fmt;

/// Something that not every backend can do. What is not declared answers
/// [`Unsupported`](crate::ErrorKind::Unsupported), with no side effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Acknowledged writes outlive the process; whether also a loss of power is the backend's to document.
    Durable,
    /// Several processes can share one store.
    Shared,
    /// [`watch`](super::Storage::watch) works (C12).
    Watch,
    /// Reads may lag behind commits: C1 holds eventually.
    LaggingReads,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 4] = [Self::Durable, Self::Shared, Self::Watch, Self::LaggingReads];

    /// The capability in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Shared => "shared",
            Self::Watch => "watch",
            Self::LaggingReads => "lagging reads",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which limit a request went past (C15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::key_bytes`].
    KeyBytes,
    /// [`Limits::value_bytes`].
    ValueBytes,
    /// [`Limits::batch_ops`].
    BatchOps,
    /// [`Limits::batch_bytes`].
    BatchBytes,
    /// [`Limits::json_depth`].
    JsonDepth,
    /// [`Limits::owned_per_delete`].
    OwnedPerDelete,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyBytes => "the key is too long, in bytes",
            Self::ValueBytes => "the record is too large, in bytes",
            Self::BatchOps => "the batch holds too many operations",
            Self::BatchBytes => {
                "the records of the batch are too large together, in bytes; commit fewer at once"
            }
            Self::JsonDepth => "the record nests too deeply",
            Self::OwnedPerDelete => "the flag owns too many records to go in one commit; delete those first",
        })
    }
}

/// How much a backend takes (C15). A call beyond is [`Invalid`](crate::ErrorKind::Invalid) before anything is
/// sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The text form of a key, in bytes.
    pub key_bytes: usize,
    /// The JSON of a record, in bytes.
    pub value_bytes: usize,
    /// The operations of one batch; also the keys that one `get` should ask for.
    pub batch_ops: usize,
    /// The JSON of all records of one batch together, in bytes.
    pub batch_bytes: usize,
    /// How deeply the JSON of a record may nest.
    pub json_depth: usize,
    /// How many owned records one commit can delete with their flag, or flags (C6).
    pub owned_per_delete: usize,
}

impl Default for Limits {
    /// 512 bytes, 1 MiB, 1,000 operations of 32 MiB together, depth 100, 10,000 owned records.
    fn default() -> Self {
        Self {
            key_bytes: 512,
            value_bytes: 1024 * 1024,
            batch_ops: 1_000,
            batch_bytes: 32 * 1024 * 1024,
            json_depth: 100,
            owned_per_delete: 10_000,
        }
    }
}

/// What a backend says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    name: &'static str,
    capabilities: Vec<Capability>,
    limits: Limits,
}

impl Descriptor {
    /// A backend of that name, with the default limits and no capability.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, capabilities: Vec::new(), limits: Limits::default() }
    }

    /// Declares a capability.
    #[must_use]
    pub fn with(mut self, capability: Capability) -> Self {
        if !self.has(capability) {
            self.capabilities.push(capability);
        }
        self
    }

    /// Declares other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The backend's name, for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the capability is declared.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}
