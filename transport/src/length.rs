//! The length before each frame: seven bits a byte, the lowest first, the highest bit set where another byte follows (LEB128).
//!
//! A length may take more bytes than it needs: a writer that has left room for a larger one fills it up.

use bytes::BytesMut;

/// The most bytes that a length takes.
const BYTES_MAX: usize = 5;

/// A length that takes more bytes than any, or does not fit into 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoLength;

/// How many bytes the length takes that `bytes` begin with, and what it is; `None` when they end within it.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<(usize, usize)>, NoLength> {
    let mut length = 0_u64;
    for (place, byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        length |= u64::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            let length = u32::try_from(length).map_err(|_| NoLength)?;
            return Ok(Some((place + 1, length as usize)));
        }
    }
    if bytes.len() < BYTES_MAX { Ok(None) } else { Err(NoLength) }
}

/// The bytes that a length needs.
pub(crate) const fn width(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => BYTES_MAX,
    }
}

/// Writes the length of what stands behind `room` bytes at `start`, to where that room is. What does not fit there moves back.
pub(crate) fn write(out: &mut BytesMut, start: usize, room: usize) {
    let end = out.len();
    let length = end - start - room;
    let needed = width(length);
    let width = room.max(needed);
    if needed > room {
        out.resize(end + needed - room, 0);
        out.copy_within(start + room..end, start + needed);
    }
    for (place, byte) in out[start..start + width].iter_mut().enumerate() {
        let more = if place + 1 < width { 0x80 } else { 0 };
        *byte = (length >> (7 * place)) as u8 & 0x7F | more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_whatever_room_was_left() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 70_000, 1 << 21] {
            for room in 1..=BYTES_MAX {
                let mut out = BytesMut::from(&b"before"[..]);
                out.resize(6 + room, 0);
                out.extend((0..length).map(|number| number as u8));
                write(&mut out, 6, room);
                let (header, read) = read(&out[6..]).unwrap().unwrap();
                assert_eq!((header, read), (room.max(width(length)), length));
                let body = &out[6 + header..];
                assert!(body.len() == length && (0..length).all(|at| body[at] == at as u8));
            }
        }
    }

    #[test]
    fn what_is_no_length_is_refused_before_it_is_long() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80]), Ok(None));
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80, 0x80]), Err(NoLength));
        assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 9]), Ok(Some((5, u32::MAX as usize))));
        assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 0x10]), Err(NoLength));
    }
}
