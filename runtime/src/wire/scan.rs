//! Walks MessagePack without recursion and without memory, so that what follows may trust lengths and nesting.
//!
//! Not a decoder: it knows no types. It exists because a deserializer recurses once per level, enums included, and believes
//! the lengths it reads; a hostile frame of a few kilobytes would otherwise overflow the stack.

use super::codec_error::DecodeError;

/// The deepest nesting of arrays and maps that is accepted.
pub const DEPTH_LIMIT: usize = 64;

/// Checks that `bytes` are exactly one MessagePack value, nested at most [`DEPTH_LIMIT`] deep, in which no length claims more
/// than there is.
///
/// # Errors
/// [`DecodeError::Truncated`], [`DecodeError::TooDeep`], [`DecodeError::Malformed`] or [`DecodeError::Trailing`].
pub(super) fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut rest = Rest { bytes };
    let mut open = [0_u64; DEPTH_LIMIT];
    let mut depth = 0;
    loop {
        match rest.value()? {
            Value::Leaf(length) => rest.skip(length)?,
            Value::Branch(0) => {}
            // Every member takes a byte at least.
            Value::Branch(members) if members > rest.bytes.len() as u64 => {
                return Err(DecodeError::Truncated);
            }
            Value::Branch(members) => {
                *open.get_mut(depth).ok_or(DecodeError::TooDeep { limit: DEPTH_LIMIT })? = members;
                depth += 1;
                continue;
            }
        }
        loop {
            if depth == 0 {
                let excess = rest.bytes.len();
                return if excess == 0 { Ok(()) } else { Err(DecodeError::Trailing { excess }) };
            }
            open[depth - 1] -= 1;
            if open[depth - 1] > 0 {
                break;
            }
            depth -= 1;
        }
    }
}

enum Value {
    /// Bytes that follow the marker and its length.
    Leaf(u64),
    /// Values that follow.
    Branch(u64),
}

struct Rest<'a> {
    bytes: &'a [u8],
}

impl Rest<'_> {
    /// Reads a marker and its length (MessagePack specification, "Formats").
    fn value(&mut self) -> Result<Value, DecodeError> {
        let marker = self.number(1)? as u8;
        Ok(match marker {
            0x00..=0x7F | 0xE0..=0xFF | 0xC0 | 0xC2 | 0xC3 => Value::Leaf(0),
            0x80..=0x8F => Value::Branch(2 * u64::from(marker & 0x0F)),
            0x90..=0x9F => Value::Branch(u64::from(marker & 0x0F)),
            0xA0..=0xBF => Value::Leaf(u64::from(marker & 0x1F)),
            0xC1 => return Err(DecodeError::Malformed),
            0xC4 | 0xD9 => Value::Leaf(self.number(1)?),
            0xC5 | 0xDA => Value::Leaf(self.number(2)?),
            0xC6 | 0xDB => Value::Leaf(self.number(4)?),
            0xC7 => Value::Leaf(1 + self.number(1)?),
            0xC8 => Value::Leaf(1 + self.number(2)?),
            0xC9 => Value::Leaf(1 + self.number(4)?),
            0xCC | 0xD0 => Value::Leaf(1),
            0xCD | 0xD1 => Value::Leaf(2),
            0xCA | 0xCE | 0xD2 => Value::Leaf(4),
            0xCB | 0xCF | 0xD3 => Value::Leaf(8),
            0xD4..=0xD8 => Value::Leaf(1 + (1 << (marker - 0xD4))),
            0xDC => Value::Branch(self.number(2)?),
            0xDD => Value::Branch(self.number(4)?),
            0xDE => Value::Branch(2 * self.number(2)?),
            0xDF => Value::Branch(2 * self.number(4)?),
        })
    }

    fn number(&mut self, size: usize) -> Result<u64, DecodeError> {
        let (number, rest) = self.bytes.split_at_checked(size).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(number.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn skip(&mut self, length: u64) -> Result<(), DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated)?;
        self.bytes = self.bytes.get(length..).ok_or(DecodeError::Truncated)?;
        Ok(())
    }
}
