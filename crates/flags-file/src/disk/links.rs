//! Symbolic links: what a path leads to, and where a change of it shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// The file that the path leads to, which need not exist: what is replaced, so that a link stays a link.
pub(crate) fn target(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(link) => path = beside(&path, &link),
            Err(_) => break,
        }
    }
    path
}

/// Every directory in which something may change what the path leads to: those of the file and of each link
/// on the way.
pub(crate) fn directories(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Some((link, followed)) = first_link(&path) else { break };
        found.extend(parent(&link));
        path = followed;
    }
    found.extend(parent(&path));
    found
}

/// The first part of the path that is a link, and the path that following it gives.
fn first_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut walked = PathBuf::new();
    let mut parts = path.components();
    while let Some(part) = parts.next() {
        walked.push(part);
        if matches!(part, Component::Normal(_))
            && let Ok(link) = fs::read_link(&walked)
        {
            let mut followed = beside(&walked, &link);
            followed.push(parts.as_path());
            if parts.as_path().as_os_str().is_empty() {
                followed = beside(&walked, &link);
            }
            return Some((walked, followed));
        }
    }
    None
}

/// What a link at `path` means.
fn beside(path: &Path, link: &Path) -> PathBuf {
    parent(path).unwrap_or_default().join(link)
}

/// The directory of a file; the current one of a bare name.
pub(crate) fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_path_buf() })
}
