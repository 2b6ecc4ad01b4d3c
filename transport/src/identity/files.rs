//! Certificates and keys on disk. Never overwrites.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::error::IdentityError;

/// The whole file as text.
pub(crate) fn read_text(path: &Path) -> Result<String, IdentityError> {
    fs::read_to_string(path).map_err(|source| IdentityError::Read { path: path.to_owned(), source })
}

/// Writes a file that was not there.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), IdentityError> {
    write(path, text, OpenOptions::new().write(true).create_new(true))
}

/// Writes a file that was not there and that its owner alone may read.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<(), IdentityError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write(path, text, &options)
}

fn write(path: &Path, text: &str, options: &OpenOptions) -> Result<(), IdentityError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => IdentityError::Exists { path: path.to_owned() },
        _ => IdentityError::Write { path: path.to_owned(), source },
    };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .map_err(|source| IdentityError::Write { path: directory.to_owned(), source })?;
    }
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
