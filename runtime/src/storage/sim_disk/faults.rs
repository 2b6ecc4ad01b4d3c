//! What was done to a simulated disk and what it was asked to do, in numbers.

/// Faults injected so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFaults {
    /// Power losses.
    pub crashes: u64,
    /// Unsynced writes that a power loss took whole.
    pub writes_lost: u64,
    /// Unsynced writes of which a power loss took some sectors.
    pub writes_torn: u64,
    /// Creations, renames and removals that a power loss undid.
    pub names_lost: u64,
    /// Syncs that failed.
    pub syncs_failed: u64,
    /// Writes that failed.
    pub writes_failed: u64,
    /// Reads that failed.
    pub reads_failed: u64,
    /// Writes and reservations refused for want of space.
    pub space_refused: u64,
    /// Bytes flipped.
    pub bytes_flipped: u64,
    /// Writes that were acknowledged and went elsewhere.
    pub writes_misdirected: u64,
    /// Writes that were acknowledged and went nowhere.
    pub writes_dropped: u64,
}

/// Operations so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCosts {
    /// Operations that change something, syncs included.
    pub operations: u64,
    /// Reads of files.
    pub reads: u64,
    /// Writes to files.
    pub writes: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Syncs of directories.
    pub directory_syncs: u64,
}
