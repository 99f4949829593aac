//! [`Sink`]: where a document goes.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::interrupt;

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// Where a document goes: standard output, or a file that is replaced at one stroke once the
/// document is whole.
pub(crate) enum Sink {
    Stdout(BufWriter<StdoutLock<'static>>),
    Draft {
        draft: BufWriter<NamedTempFile>,
        target: PathBuf,
    },
    /// A pipe or a device, which cannot be replaced.
    Other(BufWriter<File>),
}

impl Sink {
    pub(crate) fn stdout() -> Self {
        Self::Stdout(BufWriter::new(io::stdout().lock()))
    }

    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        let target = followed(path);
        let draft = match fs::metadata(&target) {
            Ok(old) if old.is_file() => {
                let draft = interrupt::draft(|| builder().tempfile_in(folder(&target)))?;
                // Before its first byte, so that nobody reads it who may not read the old one.
                like(&target, &old, draft.as_file())?;
                draft
            }
            Ok(_) => return Ok(Self::Other(BufWriter::new(OpenOptions::new().write(true).open(&target)?))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                interrupt::draft(|| like_any_new_file(&mut builder()).tempfile_in(folder(&target)))?
            }
            Err(error) => return Err(error),
        };
        Ok(Self::Draft { draft: BufWriter::new(draft), target })
    }

    /// Brings it to its place, and to the disk.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let Self::Draft { draft, target } = self else { return Ok(()) };
        let draft = draft.into_inner().map_err(io::IntoInnerError::into_error)?;
        draft.as_file().sync_all()?;
        interrupt::placed(|| draft.persist(&target)).map_err(|refused| refused.error)?;
        // The rename is durable once the folder is. Not every system can open one, and then there is nothing
        // to do.
        if let Ok(folder) = File::open(folder(&target)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Draft { draft, .. } => draft.write(bytes),
            Self::Other(other) => other.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Draft { draft, .. } => draft.flush(),
            Self::Other(other) => other.flush(),
        }
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".flags-export-");
    builder
}

/// Others may read it as far as the user lets them read new files.
fn like_any_new_file<'a>(
    builder: &'a mut tempfile::Builder<'static, 'static>,
) -> &'a mut tempfile::Builder<'static, 'static> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

#[cfg(unix)]
fn like(path: &Path, old: &Metadata, new: &File) -> io::Result<()> {
    super::access::pass_on(path, old, new)
}

#[cfg(not(unix))]
fn like(_path: &Path, old: &Metadata, new: &File) -> io::Result<()> {
    new.set_permissions(old.permissions())
}

/// The file that the path leads to, which need not exist: what is replaced, so that a link stays a link.
pub(crate) fn followed(path: &Path) -> PathBuf {
    // What is there has a place, but for what a link of the system leads to: `/dev/stdout`, to a pipe.
    if path.exists() {
        return fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    }
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            Ok(link) => path = folder(&path).join(link),
            Err(_) => break,
        }
    }
    path
}

fn folder(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
