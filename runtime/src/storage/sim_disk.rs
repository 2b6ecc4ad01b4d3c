//! A disk in memory that forgets, tears and fails as it is told to.

/// A disk in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {}

/// What has been done to a [`SimDisk`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFaults {}
