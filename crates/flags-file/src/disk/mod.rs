//! The file on its disk: telling that it changed, reading it whole, replacing it at one stroke.

mod access;
mod draft;
mod links;
mod lock;
mod replace;
mod stamp;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

pub(crate) use draft::remove_drafts;
pub(crate) use links::{directories, target};
pub(crate) use lock::Lock;
pub(crate) use replace::{Replaced, replace};
pub(crate) use stamp::{Seen, Stamp};

use stamp::Moment;

/// How often reading begins anew because the file changed meanwhile.
const ATTEMPTS: usize = 10;

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Found<T> {
    Nothing,
    /// A directory, a pipe, a socket or a device: one that never answers, or never ends, when it is
    /// read.
    Irregular,
    File(T),
}

/// Looks where the path leads to.
pub(crate) fn stamp(path: &Path) -> io::Result<Found<Stamp>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Found::File(Stamp::of(&metadata))),
        Ok(_) => Ok(Found::Irregular),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(error),
    }
}

/// Whether the file is still as it was seen; `None`: whether it still does not exist.
fn is_unchanged(path: &Path, before: Option<&Seen>) -> io::Result<bool> {
    Ok(match (before, stamp(path)?) {
        (None, Found::Nothing) => true,
        (Some(before), Found::File(now)) if before.is_certainly(&now) => true,
        (Some(before), Found::File(_)) => match read(path, Some(before))? {
            Found::File((bytes, now)) => before.is(&now.stamp, &bytes),
            _ => false,
        },
        _ => false,
    })
}

/// Reads the whole file as it was at one moment; `seen` is the version that was seen before.
pub(crate) fn read(path: &Path, seen: Option<&Seen>) -> io::Result<Found<(Vec<u8>, Seen)>> {
    let mut last = Found::Nothing;
    for _ in 0..ATTEMPTS {
        let begun = Moment::now();
        let mut file = match open(path)? {
            Found::File(file) => file,
            Found::Nothing => return Ok(Found::Nothing),
            Found::Irregular => return Ok(Found::Irregular),
        };
        let before = Stamp::of(&file.metadata()?);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let after = Stamp::of(&file.metadata()?);
        let found = Seen::read(after, &bytes, begun, seen);
        if before == after {
            return Ok(Found::File((bytes, found)));
        }
        last = Found::File((bytes, found));
    }
    // One that never rests is read as it is; what is torn does not parse, and is read again at the next
    // change.
    Ok(last)
}

/// Opens the file for reading.
fn open(path: &Path) -> io::Result<Found<File>> {
    let file = match stamp(path)? {
        Found::File(_) => match open_at_once(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        },
        Found::Nothing => return Ok(Found::Nothing),
        Found::Irregular => return Ok(Found::Irregular),
    };
    // What was there a moment ago may be a pipe by now.
    Ok(if file.metadata()?.is_file() { Found::File(file) } else { Found::Irregular })
}

/// Opens it without waiting for another program at the other end.
#[cfg(unix)]
fn open_at_once(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        // A file server lends it to somebody, and is asking for it back.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => File::open(path),
        opened => opened,
    }
}

#[cfg(not(unix))]
fn open_at_once(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}
