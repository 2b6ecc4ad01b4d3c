//! A snapshot on its way to become an application's state again: read beside the driver's thread, put in place on it.

use std::fmt;
use std::io::{self, Read};

use synod_protocols::log::SnapshotMeta;

use crate::storage::{SnapshotBody, SnapshotFault};

/// Reads a state, once.
trait Reading: FnOnce(&SnapshotMeta, &mut dyn Read) -> io::Result<Thawed> + Send {}

impl<F: FnOnce(&SnapshotMeta, &mut dyn Read) -> io::Result<Thawed> + Send> Reading for F {}

/// What can read a snapshot of an application on another thread, without changing the application.
pub struct Thaw {
    read: Box<dyn Reading>,
}

/// A state that was read and waits to take the place of the present one.
pub struct Thawed {
    put: Box<dyn FnOnce() + Send>,
}

/// Why a snapshot did not become a state.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThawFault {
    /// The disk's side.
    #[error(transparent)]
    Snapshot(#[from] SnapshotFault),
    /// The application's side.
    #[error("the application does not understand the snapshot: {0}")]
    Application(#[from] io::Error),
}

impl Thaw {
    /// A state that is read by `read`.
    #[must_use]
    pub fn new(
        read: impl FnOnce(&SnapshotMeta, &mut dyn Read) -> io::Result<Thawed> + Send + 'static,
    ) -> Self {
        Self { read: Box::new(read) }
    }

    /// Reads the state.
    ///
    /// # Errors
    /// When the bytes cannot be read or are no snapshot of this application.
    pub fn read(self, meta: &SnapshotMeta, reader: &mut dyn Read) -> io::Result<Thawed> {
        (self.read)(meta, reader)
    }

    /// Reads the state of a snapshot that was loaded, if it was.
    pub(crate) fn read_loaded(
        self,
        loaded: Result<(SnapshotMeta, SnapshotBody), SnapshotFault>,
    ) -> Result<(SnapshotMeta, Thawed), ThawFault> {
        let (meta, mut body) = loaded?;
        let thawed = self.read(&meta, &mut body)?;
        Ok((meta, thawed))
    }
}

impl Thawed {
    /// A state that takes the place of the present one when `put` is called, on the driver's thread. It has to be quick.
    #[must_use]
    pub fn new(put: impl FnOnce() + Send + 'static) -> Self {
        Self { put: Box::new(put) }
    }

    /// Puts the state in place.
    pub fn put(self) {
        (self.put)();
    }
}

impl fmt::Debug for Thaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thaw")
    }
}

impl fmt::Debug for Thawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thawed")
    }
}
