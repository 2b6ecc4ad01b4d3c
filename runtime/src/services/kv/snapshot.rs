//! The map on disk: a version, the leases, the rows, each with lengths that are checked before memory is taken.
//!
//! Checksums are the business of whoever keeps the file. All numbers are little-endian.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::time::Duration;

use synod_protocols::{LogIndex, LogTime};

use crate::driver::Frozen;
use crate::services::kv::lease::Leases;
use crate::services::kv::model::{KEY_LIMIT, LeaseId};
use crate::services::kv::row::{Press, Row};
use crate::services::kv::rows::Rows;

const MAGIC: &[u8; 8] = b"synodkv1";
/// A value above this was never written by us.
const VALUE_BYTES: u32 = 1 << 30;

/// What a snapshot holds.
pub(crate) struct Saved {
    pub(crate) rows: Rows,
    pub(crate) leases: Leases,
    /// The last index at which something was applied.
    pub(crate) applied: LogIndex,
}

/// The map as it is. Costs a pointer for every 256 rows and three numbers for every lease.
pub(crate) fn freeze(rows: &Rows, leases: &Leases, applied: LogIndex) -> Frozen {
    let rows = rows.clone();
    let leases: Vec<_> = leases.iter().map(|(id, lease)| (id, lease.ttl, lease.ends)).collect();
    Frozen::new(move |writer| write(&rows, &leases, applied, writer))
}

/// What a snapshot holds.
pub(crate) fn read(reader: &mut dyn Read) -> io::Result<Saved> {
    let mut reader = BufReader::new(reader);
    if &array::<8>(&mut reader)? != MAGIC {
        return Err(bad("this is no snapshot of the map, or one of a later version"));
    }
    let applied = LogIndex(number(&mut reader)?);
    let mut leases = Leases::default();
    for _ in 0..number(&mut reader)? {
        let id = LeaseId(number(&mut reader)?);
        let ttl = Duration::from_nanos(number(&mut reader)?);
        leases.add(id, ttl, LogTime(number(&mut reader)?));
    }
    let (mut rows, mut press) = (Rows::default(), Press::default());
    for _ in 0..number(&mut reader)? {
        let row = read_row(&mut reader, &mut press)?;
        if let Some(lease) = row.lease() {
            leases.attach(lease, row.key().into());
        }
        rows.insert(row);
    }
    Ok(Saved { rows, leases, applied })
}

fn write(
    rows: &Rows,
    leases: &[(LeaseId, Duration, LogTime)],
    applied: LogIndex,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let mut writer = BufWriter::new(writer);
    writer.write_all(MAGIC)?;
    writer.write_all(&applied.0.to_le_bytes())?;
    writer.write_all(&(leases.len() as u64).to_le_bytes())?;
    for (id, ttl, ends) in leases {
        writer.write_all(&id.0.to_le_bytes())?;
        let nanos = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
        writer.write_all(&nanos.to_le_bytes())?;
        writer.write_all(&ends.0.to_le_bytes())?;
    }
    writer.write_all(&(rows.len() as u64).to_le_bytes())?;
    for row in rows.iter() {
        write_bytes(&mut writer, row.key_bytes())?;
        writer.write_all(&row.index().0.to_le_bytes())?;
        // Lease ids are log indexes, so zero is free to say "none".
        writer.write_all(&row.lease().map_or(0, |lease| lease.0).to_le_bytes())?;
        write_bytes(&mut writer, row.value())?;
    }
    writer.flush()
}

fn write_bytes(writer: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| bad("a value of 4 GiB"))?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(bytes)
}

fn read_row(reader: &mut dyn Read, press: &mut Press) -> io::Result<Row> {
    let key =
        String::from_utf8(read_bytes(reader, KEY_LIMIT as u32)?).map_err(|_| bad("a key that is no text"))?;
    let index = LogIndex(number(reader)?);
    let lease = Some(number(reader)?).filter(|&lease| lease != 0).map(LeaseId);
    let value = read_bytes(reader, VALUE_BYTES)?;
    Ok(press.row(&key, &value, index, lease))
}

fn read_bytes(reader: &mut dyn Read, limit: u32) -> io::Result<Vec<u8>> {
    let length = u32::from_le_bytes(array(reader)?);
    if length > limit {
        return Err(bad("a length beyond its limit"));
    }
    // Grows with what is really there: a wrong length takes no memory.
    let mut bytes = Vec::new();
    if reader.take(u64::from(length)).read_to_end(&mut bytes)? < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn number(reader: &mut dyn Read) -> io::Result<u64> {
    Ok(u64::from_le_bytes(array(reader)?))
}

fn array<const N: usize>(reader: &mut dyn Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
