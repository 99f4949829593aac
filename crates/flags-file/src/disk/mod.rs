//! The file on its disk: telling that it changed, reading it whole, replacing it at one stroke.

mod links;
mod lock;
mod replace;
mod stamp;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

pub(crate) use links::{directories, target};
pub(crate) use lock::Lock;
pub(crate) use replace::{Replaced, replace};
pub(crate) use stamp::{Seen, Stamp};

use stamp::Moment;

/// How often reading begins anew because the file changed meanwhile.
const ATTEMPTS: usize = 10;

/// What the path leads to, if it leads anywhere.
pub(crate) fn stamp(path: &Path) -> io::Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the file is still as it was seen; `None`: whether it still does not exist.
fn is_unchanged(path: &Path, before: Option<&Seen>) -> io::Result<bool> {
    Ok(match (before, stamp(path)?) {
        (None, None) => true,
        (Some(before), Some(now)) if before.is_certainly(&now) => true,
        (Some(before), Some(_)) => {
            read(path, Some(before))?.is_some_and(|(bytes, now)| before.is(&now.stamp, &bytes))
        }
        _ => false,
    })
}

/// Reads the whole file as it was at one moment; `seen` is the version that was seen before. `None`: it does not exist.
pub(crate) fn read(path: &Path, seen: Option<&Seen>) -> io::Result<Option<(Vec<u8>, Seen)>> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let begun = Moment::now();
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let before = Stamp::of(&file.metadata()?);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let after = Stamp::of(&file.metadata()?);
        let found = Seen::read(after, &bytes, begun, seen);
        if before == after {
            return Ok(Some((bytes, found)));
        }
        last = Some((bytes, found));
    }
    // One that never rests is read as it is; what is torn does not parse, and is read again at the next change.
    Ok(last)
}
