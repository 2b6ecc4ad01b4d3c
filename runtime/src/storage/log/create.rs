//! Making a log where there is none.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use synod_protocols::StoreId;
use synod_protocols::prng::Prng;

use crate::storage::disk::Disk;
use crate::storage::log::counters::Counters;
use crate::storage::log::engine::{Cleaning, Engine, Head, begin_segment, reserve};
use crate::storage::log::fault::OpenError;
use crate::storage::log::index::Index;
use crate::storage::log::options::LogOptions;
use crate::storage::log::record::{SEGMENT_HEADER, SegmentHeader};
use crate::storage::log::scan::io_error;
use crate::storage::log::segment::directory;

/// Makes a log, with a name drawn from `seed`.
pub(super) fn create(
    disk: &Arc<dyn Disk>,
    options: LogOptions,
    seed: u64,
    counters: &Counters,
) -> Result<Engine, OpenError> {
    const FIRST: u64 = 1;
    // Zero would mean that there is none.
    let store = StoreId(Prng::fork(seed, 0x5704E).next_u64().max(1));
    let header = SegmentHeader {
        store,
        number: FIRST,
        first_sequence: 1,
        durable: 0,
        oldest: FIRST,
        previous: 0,
        capacity: options.segment_bytes,
    };
    let made = || {
        disk.create_directory(directory())?;
        disk.sync_directory(Path::new(""))?;
        let spare = reserve(&**disk, FIRST, options.segment_bytes)?;
        begin_segment(&**disk, spare, &header)
    };
    let segment = made().map_err(|source| io_error("make the log in", directory().into(), source))?;
    let head = Head {
        segment: FIRST,
        capacity: segment.capacity,
        offset: SEGMENT_HEADER,
        sequence: 0,
        checksum: 0,
        durable: 0,
        unsaid: 0,
    };
    Ok(Engine {
        disk: Arc::clone(disk),
        options,
        counters: counters.clone(),
        store,
        segments: BTreeMap::from([(FIRST, segment)]),
        head,
        buffer: Vec::new(),
        spares: VecDeque::new(),
        index: Index::default(),
        zeroed: 0,
        cleaning: Cleaning { oldest: FIRST, ..Cleaning::default() },
    })
}
