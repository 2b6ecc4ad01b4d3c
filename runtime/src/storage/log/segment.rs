//! Segments as files: their names, their handles, and room reserved for the next ones.

use std::path::{Path, PathBuf};

use crate::storage::disk::DiskFile;
use crate::storage::log::record::{RECORD_HEADER, SEGMENT_HEADER};

/// The smallest segment.
pub(super) const SEGMENT_BYTES_MIN: u64 = 4 << 10;
/// The largest segment: the length of a record is 32 bits.
pub(super) const SEGMENT_BYTES_MAX: u64 = 2 << 30;

/// Room at the end of a segment for its last record.
pub(super) const END: u64 = RECORD_HEADER;
/// Room before that for the marks without which space could not be given back when all else is full.
const MARKS: u64 = 8 * RECORD_HEADER;

/// The directory of the log.
pub(super) fn directory() -> &'static Path {
    Path::new("log")
}

/// Where a segment is.
pub(super) fn segment_path(number: u64) -> PathBuf {
    directory().join(format!("{number:016x}.segment"))
}

/// Where the room for a segment is until it becomes one.
pub(super) fn spare_path(number: u64) -> PathBuf {
    directory().join(format!("{number:016x}.spare"))
}

/// The number of the segment with this file name.
pub(super) fn segment_number(name: &Path) -> Option<u64> {
    let stem = name.to_str()?.strip_suffix(".segment")?;
    if stem.len() == 16 { u64::from_str_radix(stem, 16).ok() } else { None }
}

/// Whether this is the file name of reserved room.
pub(super) fn is_spare(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "spare")
}

/// A segment's file.
pub(super) struct SegmentFile {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) capacity: u64,
}

/// Reserved room: a file of zeros that has no header.
pub(super) struct Spare {
    pub(super) path: PathBuf,
    pub(super) segment: SegmentFile,
}

/// How far machines' records may reach in a segment of this size.
pub(super) fn limit(capacity: u64) -> u64 {
    marks_limit(capacity).saturating_sub(MARKS)
}

/// How far marks may reach.
pub(super) fn marks_limit(capacity: u64) -> u64 {
    capacity.saturating_sub(END)
}

/// The largest body in segments of this size.
pub(super) fn largest_body(capacity: u64) -> u64 {
    limit(capacity).saturating_sub(SEGMENT_HEADER + RECORD_HEADER) / 8 * 8
}
