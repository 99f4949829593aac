//! Feature flags in one JSON file: embedded, durable, reviewable in git, reloaded when it is edited.
//!
//! The file is the document that an export writes ([`Document`](flags_core::transfer::Document)), so that
//! people, `git diff` and other programs can read it. Any number of processes and people may read and write
//! it at the same time; none of them needs a server.
//!
//! # What a commit does
//!
//! It takes a lock beside the file (`flags.json.lock` for `flags.json`; never remove it while the
//! file is in use), reads the file again if it changed, judges the batch, writes the new document
//! beside the old one (under a hidden name that begins with `.flags.json.`), brings it to the disk,
//! puts it in the old one's place in one step, and brings that to the disk. So a process that is
//! killed, or a power failure, at any point leaves the old document or the new one, and no process
//! loses another's commit. What a killed one leaves under a hidden name is removed by the first
//! commit of a later opening. Commits that wait for each other in one process are written together.
//! A symbolic link stays one.
//!
//! The new file has the owner, the group, the permissions and (on Linux) the access control list of the old
//! one, from before its first byte is written. Only an administrator may give a file to another owner; any
//! other writer becomes its owner, and those who share it by its group or its list go on doing so. Where the
//! group cannot be kept it is permitted nothing, and where the list cannot, neither it nor the group: nobody
//! is permitted what the old file did not permit them. Other attributes of the file are not kept. The lock
//! file has the same permissions when it is made, so that whoever may write the one may lock the other; where
//! you change those of the file later, change those of the lock file too. One that is there already is locked
//! and never changed, and one that is a link, has other names, or is no regular file, is refused: whoever may
//! write the directory could have put it there.
//!
//! A record that does not change keeps its text to the byte, its order of members and white space, so that a
//! diff shows what changed and nothing else. Records are in the order of their keys; expired ones are left
//! out of what is written next. Members that we do not know, also those beside the lists, are kept.
//!
//! # What a read does
//!
//! It asks the file system whether the file is still the one that was read (its inode, times and
//! size), and reads it again if not: so it sees every commit of every process.
//!
//! The question is asked where the read is called, since it takes a microsecond on a local disk;
//! nothing bounds it. Everything that may take longer happens on threads of the runtime within the
//! deadline: one for all reads that wait, one for watches, one for commits, so that a disk that
//! does not answer takes up no more. A runtime that is dropped waits for them: end it by
//! [`shutdown_background`](tokio::runtime::Runtime::shutdown_background) where that must not be.
//!
//! **File systems of a network are not supported.** One that does not answer the question holds up
//! the thread that asks, whatever the deadline; its locks may not exclude other machines; and what
//! it says of the file may be some seconds old.
//!
//! # Edits from outside
//!
//! An editor's save, a `git checkout`, the swap of a mounted ConfigMap's links: each is read with the next
//! call, and told to every watch by the keys of the records that differ. A revision is a digest of the
//! record's text, so an edit from outside makes an older revision stale as a commit does. Editors know no
//! lock: one that saves between a commit's last look and its rename, some microseconds, is overwritten.
//!
//! | what is wrong | what happens |
//! |---|---|
//! | the file is no document (bad JSON, half written, a record without a name, a key twice) | reads go on with the last good state; commits are `Unavailable` with the line and the column, so that the edit is not destroyed; [`health`](flags_core::Storage::health) warns, and where it lasts watches are told `Lost`; once it is mended, `Resync` |
//! | a record is no such record (a wrong type, an unknown enumeration value) | it alone is `Corrupt`; it can be replaced or deleted, and is otherwise kept as it is |
//! | two flags have one id, or two segments one name | the first of them, by key, is found by it, and the next one once that is deleted; `health` warns |
//! | the file is gone | as when it is broken: editors and git remove a file before they write the new one |
//! | a directory, a pipe or a device is in its place | as when it is broken, and it is never read: it may not answer, or not end |
//! | its directory is gone, or permission is missing | reads and commits are `Unavailable` or `Denied`, and watches are told `Lost` |
//! | the file is read-only | commits are `Denied` |
//! | the lock file is a link, a directory, a pipe, or has a second name | commits are `Denied`, and what is there stays as it is; remove it |
//!
//! # What to know
//!
//! * The first commit to a document that people wrote may change every line: the text of its
//!   records stays to the byte, carriage returns within them too, but what is between them is
//!   written anew, in the order of the kinds and keys, with line feeds and without a byte order
//!   mark. Later ones change what they change. To see the two apart, write the document anew first:
//!   `flags --store file:new.json import flags.json`.
//! * A file that is mounted by itself (`docker run -v ./flags.json:/flags.json`, a `subPath` of a
//!   ConfigMap) can be read but not replaced, so that commits are `Unavailable`; and it goes on
//!   being the old file where the one outside is replaced. Mount its directory. For the same reason
//!   a hard link to the file leads to its old content after the next commit.
//! * A watch compares the file with what it was at the last look: what was changed and changed back
//!   between two looks is told to nobody. A read that comes later finds the record, and its
//!   revision, as they were.
//! * Records expire by the clock of each process, so the same moment for all of one machine. A file
//!   that machines share is [not supported](#what-a-read-does).
//!
//! # Examples
//!
//! ```
//! use flags_core::{Flag, FlagKey, FlagStore};
//! use flags_file::FileStorage;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("flags.json");
//! let storage = FileStorage::open(&path).await?;
//! let store = FlagStore::new(std::sync::Arc::new(storage));
//! store.create_flag(Flag::new(FlagKey::new("new-checkout")?)).await?;
//! assert!(std::fs::read_to_string(&path)?.starts_with("{\n  \"version\": 1,\n  \"flags\": [\n    {"));
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod contents;
mod disk;
mod document;
mod fault;
mod notes;
mod options;
mod store;
mod url;

pub use options::FileBuilder;
pub use store::FileStorage;
