//! The bytes of a record and of a segment's header.
//!
//! A record: checksum `u32`, body length `u32`, checksum of the record before `u32`, kind `u8`, three zeros, machine `u64`,
//! place `u64`, sequence `u64`, durable sequence `u64`, body, zeros up to a multiple of eight; all little-endian. The checksum
//! (CRC-32C) covers everything behind it and begins with the segment's [`Seal`], so that a record which turns up in another
//! segment or another log does not verify.

use synod_protocols::StoreId;

use crate::address::MachineId;

/// The newest format this program reads, and the one it writes.
///
/// 1: the first one. 2: the log may say of itself that it replaces another one, which no program may overlook that lets machines
/// vote.
pub(super) const VERSION: u32 = 2;
/// The size of a segment's header.
pub(super) const SEGMENT_HEADER: u64 = 64;
/// The size of a record without its body.
pub(super) const RECORD_HEADER: u64 = 48;

const MAGIC: &[u8; 8] = b"synodlog";
const ALIGNMENT: u64 = 8;

/// What a record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An entry; forgets those from its index on.
    Entry = 1,
    /// An entry again, so that the segment of the first copy may go; forgets nothing else.
    Copy = 2,
    /// A cell.
    Cell = 3,
    /// Forgets the entries from an index on.
    Truncate = 4,
    /// Forgets the entries up to an index.
    Compact = 5,
    /// Forgets a machine.
    Forget = 6,
    /// Says what is durable and, as its place, which segment is the oldest in use.
    Mark = 7,
    /// The last record of a segment: the next one exists.
    End = 8,
}

/// A record without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) machine: MachineId,
    pub(super) place: u64,
    pub(super) sequence: u64,
    pub(super) durable: u64,
    pub(super) previous: u32,
}

/// A record found in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) record: Record,
    pub(super) checksum: u32,
    pub(super) body: &'a [u8],
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) store: StoreId,
    pub(super) number: u64,
    pub(super) first_sequence: u64,
    pub(super) durable: u64,
    pub(super) oldest: u64,
    pub(super) previous: u32,
    /// How long the file is in bytes, a multiple of eight, so that one that was cut is known by its length.
    pub(super) capacity: u64,
}

/// Why a segment's header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    Garbage,
    Version(u32),
}

/// Binds checksums to one segment of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal(u32);

impl Seal {
    pub(super) fn new(store: StoreId, segment: u64) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(&store.0.to_le_bytes()), &segment.to_le_bytes()))
    }
}

impl Record {
    /// The space of a record with a body of this length.
    pub(super) fn size(body: u64) -> u64 {
        (RECORD_HEADER + body).next_multiple_of(ALIGNMENT)
    }

    /// Appends the record to `out` and gives its checksum.
    pub(super) fn encode(&self, body: &[u8], seal: Seal, out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        let length =
            u32::try_from(body.len()).expect("a record fits into a segment, which is smaller than 4 GiB");
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.previous.to_le_bytes());
        out.extend_from_slice(&[self.kind as u8, 0, 0, 0]);
        for number in [self.machine.0, self.place, self.sequence, self.durable] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(body);
        out.resize(start + Self::size(u64::from(length)) as usize, 0);
        let checksum = crc32c::crc32c_append(seal.0, &out[start + 4..]);
        out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
        checksum
    }

    /// The record at the beginning of `bytes`, if there is one that verifies.
    pub(super) fn decode(bytes: &[u8], seal: Seal) -> Option<Found<'_>> {
        let header: &[u8; RECORD_HEADER as usize] = bytes.first_chunk()?;
        let kind = Kind::of(header[12])?;
        let length = u32_at(header, 4);
        let whole = bytes.get(..Self::size(u64::from(length)) as usize)?;
        let record = Self {
            kind,
            machine: MachineId(u64_at(header, 16)),
            place: u64_at(header, 24),
            sequence: u64_at(header, 32),
            durable: u64_at(header, 40),
            previous: u32_at(header, 8),
        };
        let checksum = u32_at(header, 0);
        if record.durable >= record.sequence || crc32c::crc32c_append(seal.0, &whole[4..]) != checksum {
            return None;
        }
        let body = &whole[RECORD_HEADER as usize..][..length as usize];
        Some(Found { record, checksum, body })
    }
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Entry,
            2 => Self::Copy,
            3 => Self::Cell,
            4 => Self::Truncate,
            5 => Self::Compact,
            6 => Self::Forget,
            7 => Self::Mark,
            8 => Self::End,
            _ => return None,
        })
    }
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER as usize);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for number in [self.store.0, self.number, self.first_sequence, self.durable, self.oldest] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.previous.to_le_bytes());
        let units = u32::try_from(self.capacity / ALIGNMENT).expect("a segment is shorter than 32 GiB");
        out.extend_from_slice(&units.to_le_bytes());
        let checksum = crc32c::crc32c(&out);
        out[12..16].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let header: &[u8; SEGMENT_HEADER as usize] = bytes.first_chunk().ok_or(HeaderFault::Garbage)?;
        if !header.starts_with(MAGIC) {
            return Err(HeaderFault::Garbage);
        }
        let version = u32_at(header, 8);
        if version > VERSION {
            return Err(HeaderFault::Version(version));
        }
        let mut unsigned = *header;
        unsigned[12..16].fill(0);
        if crc32c::crc32c(&unsigned) != u32_at(header, 12) {
            return Err(HeaderFault::Garbage);
        }
        Ok(Self {
            store: StoreId(u64_at(header, 16)),
            number: u64_at(header, 24),
            first_sequence: u64_at(header, 32),
            durable: u64_at(header, 40),
            oldest: u64_at(header, 48),
            previous: u32_at(header, 56),
            capacity: u64::from(u32_at(header, 60)) * ALIGNMENT,
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAL: Seal = Seal(7);

    fn sample() -> (Record, Vec<u8>, u32) {
        let record = Record {
            kind: Kind::Entry,
            machine: MachineId(9),
            place: 3,
            sequence: 11,
            durable: 10,
            previous: 0xABCD,
        };
        let mut bytes = Vec::new();
        let checksum = record.encode(b"hello", SEAL, &mut bytes);
        (record, bytes, checksum)
    }

    #[test]
    fn a_record_comes_back() {
        let (record, bytes, checksum) = sample();
        assert_eq!(bytes.len() as u64, Record::size(5));
        let found = Record::decode(&bytes, SEAL).expect("it verifies");
        assert_eq!((found.record, found.checksum, found.body), (record, checksum, &b"hello"[..]));
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unnoticed() {
        let (_, bytes, _) = sample();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::decode(&flipped, SEAL).is_none(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Record::decode(&bytes[..length], SEAL).is_none(), "length {length}");
        }
    }

    #[test]
    fn a_record_of_another_segment_does_not_verify() {
        let (_, bytes, _) = sample();
        assert!(Record::decode(&bytes, Seal::new(StoreId(1), 1)).is_none());
        assert_ne!(Seal::new(StoreId(1), 1), Seal::new(StoreId(1), 2));
        assert_ne!(Seal::new(StoreId(1), 1), Seal::new(StoreId(2), 1));
    }

    #[test]
    fn a_header_says_garbage_or_the_later_version() {
        let header = SegmentHeader {
            store: StoreId(5),
            number: 1,
            first_sequence: 1,
            durable: 0,
            oldest: 1,
            previous: 0,
            capacity: 64 << 20,
        };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x40;
            assert!(SegmentHeader::decode(&flipped).is_err(), "byte {at}");
        }
        let mut later = bytes.clone();
        later[8] = 9;
        assert_eq!(SegmentHeader::decode(&later), Err(HeaderFault::Version(9)));
        assert_eq!(SegmentHeader::decode(&bytes[..40]), Err(HeaderFault::Garbage));
    }
}
