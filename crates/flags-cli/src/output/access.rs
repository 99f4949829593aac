//! Whom a file belongs to, and what it permits whom.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

/// Gives a new file the owner, group, permissions and access control list of the old one, as the store in a
/// file does. What cannot be kept is taken away: nobody is permitted what the old file did not permit them.
pub(super) fn pass_on(old: &Path, metadata: &Metadata, new: &File) -> io::Result<()> {
    let all = metadata.permissions();
    // With a list these bits are those of its mask; without the group they would be another group's.
    let without_group = Permissions::from_mode(all.mode() & !0o2070);
    let keeps_group = give(metadata, new)?;
    let keeps_list = match list::of(old) {
        // A new file may have inherited one from its directory.
        list::List::None => list::remove(new),
        // It holds the permissions too.
        list::List::Entries(entries) if keeps_group && list::set(new, &entries) => return Ok(()),
        list::List::Entries(_) | list::List::Unknown => {
            list::remove(new);
            false
        }
    };
    new.set_permissions(if keeps_group && keeps_list { all } else { without_group })
}

/// Gives it the owner and the group, as far as that is permitted, and tells whether it has the group.
fn give(old: &Metadata, new: &File) -> io::Result<bool> {
    let mine = new.metadata()?;
    if (mine.uid(), mine.gid()) == (old.uid(), old.gid()) {
        return Ok(true);
    }
    // Only an administrator may give a file away. The group may be any that one is in.
    let given = fchown(new, Some(old.uid()), Some(old.gid()));
    Ok(given.or_else(|_| fchown(new, None, Some(old.gid()))).is_ok() || mine.gid() == old.gid())
}

/// Access control lists, which Linux keeps beside the permissions.
#[cfg(target_os = "linux")]
mod list {
    use std::fs::File;
    use std::path::Path;

    use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, getxattr};
    use rustix::io::Errno;

    const NAME: &str = "system.posix_acl_access";

    /// The longest value that an attribute may have on Linux.
    const LONGEST: usize = 65_536;

    pub(super) enum List {
        None,
        /// As the file system gives and takes them.
        Entries(Vec<u8>),
        /// It cannot be read.
        Unknown,
    }

    pub(super) fn of(path: &Path) -> List {
        let mut entries = vec![0; LONGEST];
        match getxattr(path, NAME, entries.as_mut_slice()) {
            Ok(length) => {
                entries.truncate(length);
                List::Entries(entries)
            }
            Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => List::None,
            Err(_) => List::Unknown,
        }
    }

    /// Whether the file has that list now.
    pub(super) fn set(file: &File, entries: &[u8]) -> bool {
        fsetxattr(file, NAME, entries, XattrFlags::empty()).is_ok()
    }

    /// Whether the file has none now.
    pub(super) fn remove(file: &File) -> bool {
        matches!(fremovexattr(file, NAME), Ok(()) | Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS))
    }
}

/// Elsewhere there are none that the permissions do not speak of.
#[cfg(not(target_os = "linux"))]
mod list {
    use std::fs::File;
    use std::path::Path;

    #[allow(dead_code, reason = "those of Linux are")]
    pub(super) enum List {
        None,
        Entries(Vec<u8>),
        Unknown,
    }

    pub(super) fn of(_: &Path) -> List {
        List::None
    }

    pub(super) fn set(_: &File, _: &[u8]) -> bool {
        false
    }

    pub(super) fn remove(_: &File) -> bool {
        true
    }
}
