//! [`Sink`]: where a document goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::interrupt;

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
        // A link stays a link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let draft = match fs::metadata(&target) {
            Ok(old) if old.is_file() => {
                let draft = builder().tempfile_in(folder(&target))?;
                // Before its first byte, so that nobody reads it who may not read the old one.
                draft.as_file().set_permissions(old.permissions())?;
                draft
            }
            Ok(_) => return Ok(Self::Other(BufWriter::new(OpenOptions::new().write(true).open(&target)?))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                like_any_new_file(&mut builder()).tempfile_in(folder(&target))?
            }
            Err(error) => return Err(error),
        };
        interrupt::remove(Some(draft.path().to_path_buf()));
        Ok(Self::Draft { draft: BufWriter::new(draft), target })
    }

    /// Brings it to its place, and to the disk.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let Self::Draft { draft, target } = self else { return Ok(()) };
        let draft = draft.into_inner().map_err(io::IntoInnerError::into_error)?;
        draft.as_file().sync_all()?;
        draft.persist(&target).map_err(|refused| refused.error)?;
        interrupt::remove(None);
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

fn folder(target: &Path) -> &Path {
    target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
