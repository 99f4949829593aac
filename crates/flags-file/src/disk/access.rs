//! [`Access`]: whom a file belongs to, and what it permits whom.

use std::fs::{File, Metadata};
use std::io;

/// Whom a file belongs to, and what it permits whom: what the one that takes its place is to have
/// too.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) metadata: Metadata,
    #[cfg(target_os = "linux")]
    list: acl::List,
}

impl Access {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        Ok(Self {
            metadata: file.metadata()?,
            #[cfg(target_os = "linux")]
            list: acl::List::of(file),
        })
    }

    /// Gives a file the same owner, group, permissions and access control list. What cannot be kept
    /// is taken away: nobody is permitted what the old file did not permit them.
    #[cfg(unix)]
    pub(super) fn pass_to(&self, new: &File) -> io::Result<()> {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt as _;

        let all = self.metadata.permissions();
        // With a list these bits are those of its mask; without the group they would be another group's.
        let without_group = Permissions::from_mode(all.mode() & !0o2070);
        let keeps_group = self.give(new)?;
        #[cfg(target_os = "linux")]
        let keeps_list = match &self.list {
            // A new file may have inherited one from its directory.
            acl::List::None => acl::remove(new),
            // It holds the permissions too.
            acl::List::Entries(entries) if keeps_group && acl::set(new, entries) => return Ok(()),
            acl::List::Entries(_) | acl::List::Unknown => false,
        };
        #[cfg(not(target_os = "linux"))]
        let keeps_list = true;
        new.set_permissions(if keeps_group && keeps_list { all } else { without_group })
    }

    #[cfg(not(unix))]
    pub(super) fn pass_to(&self, new: &File) -> io::Result<()> {
        new.set_permissions(self.metadata.permissions())
    }

    /// Gives it the owner and the group, as far as that is permitted, and tells whether it has the
    /// group.
    #[cfg(unix)]
    fn give(&self, new: &File) -> io::Result<bool> {
        use std::os::unix::fs::{MetadataExt as _, fchown};

        let (mine, old) = (new.metadata()?, &self.metadata);
        if (mine.uid(), mine.gid()) == (old.uid(), old.gid()) {
            return Ok(true);
        }
        // Only an administrator may give a file away. The group may be any that one is in, and is what
        // several users share it by.
        let given = fchown(new, Some(old.uid()), Some(old.gid()));
        Ok(given.or_else(|_| fchown(new, None, Some(old.gid()))).is_ok() || mine.gid() == old.gid())
    }
}

/// Access control lists, which Linux keeps beside the permissions.
#[cfg(target_os = "linux")]
mod acl {
    use std::fs::File;

    use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
    use rustix::io::Errno;

    const NAME: &str = "system.posix_acl_access";

    /// The longest value that an attribute may have on Linux.
    const LONGEST: usize = 65_536;

    #[derive(Debug)]
    pub(super) enum List {
        None,
        /// As the file system gives and takes them.
        Entries(Vec<u8>),
        /// It cannot be read.
        Unknown,
    }

    impl List {
        pub(super) fn of(file: &File) -> Self {
            let mut entries = vec![0; LONGEST];
            match fgetxattr(file, NAME, entries.as_mut_slice()) {
                Ok(length) => {
                    entries.truncate(length);
                    Self::Entries(entries)
                }
                Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => Self::None,
                Err(_) => Self::Unknown,
            }
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::Path;

    use rustix::fs::{XattrFlags, setxattr};

    use super::acl::List;
    use super::*;

    /// Its owner may write; one other user may read and the group may not, or the other way round.
    fn list(user: u16, group: u16) -> Vec<u8> {
        let mut entries = vec![2, 0, 0, 0];
        for (tag, permitted, id) in [
            (0x01_u16, 6_u16, u32::MAX),
            (0x02, user, 12_345),
            (0x04, group, u32::MAX),
            (0x10, 4, u32::MAX),
            (0x20, 0, u32::MAX),
        ] {
            entries.extend(tag.to_le_bytes());
            entries.extend(permitted.to_le_bytes());
            entries.extend(id.to_le_bytes());
        }
        entries
    }

    fn file(path: &Path, mode: u32) -> File {
        let file = File::create(path).expect("created");
        file.set_permissions(Permissions::from_mode(mode)).expect("set");
        file
    }

    fn mode(file: &File) -> u32 {
        file.metadata().expect("a file").mode() & 0o7777
    }

    /// Whether the directory is on a file system that has such lists.
    fn has_lists(directory: &Path, name: &str) -> bool {
        let set = setxattr(directory, name, &list(4, 0), XattrFlags::empty());
        if let Err(error) = set {
            println!("no access control list can be set on {directory:?}: {error}");
        }
        set.is_ok()
    }

    #[test]
    fn a_list_is_kept_and_its_mask_does_not_become_the_right_of_the_group() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("old");
        drop(file(&path, 0o600));
        if !has_lists(&path, "system.posix_acl_access") {
            return;
        }
        let old = Access::of(&File::open(&path).expect("opened")).expect("a file");
        assert_eq!(old.metadata.mode() & 0o777, 0o640, "the mask");
        let new = file(&directory.path().join("new"), 0o600);
        old.pass_to(&new).expect("passed on");
        assert!(matches!(List::of(&new), List::Entries(entries) if entries == list(4, 0)));

        for lost in [List::Unknown, List::Entries(b"no list".to_vec())] {
            let new = file(&directory.path().join("new"), 0o666);
            Access { list: lost, ..Access::of(&File::open(&path).expect("opened")).expect("a file") }
                .pass_to(&new)
                .expect("passed on");
            assert_eq!(mode(&new), 0o600, "what cannot be kept is not given to the group");
        }
    }

    #[test]
    fn a_list_that_a_directory_bequeaths_is_not_taken_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let old = file(&directory.path().join("old"), 0o640);
        if !has_lists(directory.path(), "system.posix_acl_default") {
            return;
        }
        let new = File::create(directory.path().join("new")).expect("created");
        assert!(matches!(List::of(&new), List::Entries(_)), "it has inherited one");
        Access::of(&old).expect("a file").pass_to(&new).expect("passed on");
        assert!(matches!(List::of(&new), List::None));
        assert_eq!(mode(&new), 0o640);
    }
}
