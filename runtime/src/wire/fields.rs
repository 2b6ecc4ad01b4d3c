//! The fields of headers as bytes, and why bytes are none.
//!
//! Numbers that are small as a rule take as many bytes as they need, and there is one way to write each. Knows no kinds.

use bytes::{Buf, BufMut, BytesMut};

use super::load::Load;
use crate::error::{AskError, Cause, outcome_of};

/// A frame that is none. Nothing was taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The header ends before its fields do.
    #[error("the header is truncated")]
    Truncated,
    /// No such kind.
    #[error("unknown kind {0}")]
    Kind(u8),
    /// Flags that this version does not know, or not with this kind.
    #[error("unknown flags {0:#04x}")]
    Flags(u8),
    /// A cause that this version does not know.
    #[error("unknown cause {0}")]
    Cause(u8),
    /// A number that has more bits than it may, or more bytes than it needs.
    #[error("a number is too large or too long")]
    Number,
}

impl EnvelopeError {
    /// The word for a metric's label.
    #[must_use]
    pub const fn fault(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Kind(_) => "kind",
            Self::Flags(_) => "flags",
            Self::Cause(_) => "cause",
            Self::Number => "number",
        }
    }
}

/// Set in the kind when a byte of flags follows.
pub(super) const FLAGGED: u8 = 0x80;

/// Begins a header whose first field is a number.
pub(super) fn numbered(kind: u8, flags: u8, number: u64, out: &mut BytesMut) {
    begin(kind, flags, out);
    put_number(out, number);
}

/// Begins a header.
pub(super) fn begin(kind: u8, flags: u8, out: &mut BytesMut) {
    match flags {
        0 => out.put_u8(kind),
        flags => out.put_slice(&[kind | FLAGGED, flags]),
    }
}

/// Appends a message's number, the lowest bits of its position first: most interfaces are small, and few are served.
pub(super) fn put_message(message: u32, out: &mut BytesMut) {
    let (interface, position) = (message >> 16, message & 0xFFFF);
    put_number(out, u64::from(position >> 4 << 20 | interface << 4 | position & 0xF));
}

/// Appends an actor's slot, and its generation if it is not the first.
pub(super) fn put_target(target: u64, out: &mut BytesMut) {
    let (slot, generation) = (target >> 32, target & 0xFFFF_FFFF);
    if generation == 1 {
        put_number(out, slot << 1);
    } else {
        put_number(out, slot << 1 | 1);
        put_number(out, generation);
    }
}

/// Appends a number, seven bits a byte, the lowest first; the highest bit says that another byte follows.
pub(super) fn put_number(out: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

/// Appends an amount of messages and bytes.
pub(super) fn put_load(load: Load, out: &mut BytesMut) {
    put_number(out, u64::from(load.messages));
    put_number(out, u64::from(load.blocks));
}

/// What is left of a header.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn byte(&mut self) -> Result<u8, EnvelopeError> {
        self.0.try_get_u8().map_err(|_| EnvelopeError::Truncated)
    }

    pub(super) fn number(&mut self) -> Result<u64, EnvelopeError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            // Too large, or longer than it need be: there is one way to write a header.
            if bits << shift >> shift != bits || (byte == 0 && shift > 0) {
                return Err(EnvelopeError::Number);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(EnvelopeError::Number)
    }

    pub(super) fn word(&mut self) -> Result<u32, EnvelopeError> {
        u32::try_from(self.number()?).map_err(|_| EnvelopeError::Number)
    }

    pub(super) fn message(&mut self) -> Result<u32, EnvelopeError> {
        let number = self.word()?;
        Ok((number >> 4 & 0xFFFF) << 16 | number >> 20 << 4 | number & 0xF)
    }

    pub(super) fn target(&mut self) -> Result<u64, EnvelopeError> {
        let number = self.number()?;
        let slot = u32::try_from(number >> 1).map_err(|_| EnvelopeError::Number)?;
        let generation = match number & 1 {
            0 => 1,
            _ => {
                self.word().and_then(|word| if word == 1 { Err(EnvelopeError::Number) } else { Ok(word) })?
            }
        };
        Ok(u64::from(slot) << 32 | u64::from(generation))
    }

    pub(super) fn long(&mut self) -> Result<u64, EnvelopeError> {
        self.0.try_get_u64_le().map_err(|_| EnvelopeError::Truncated)
    }

    pub(super) fn trace(&mut self) -> Result<(u128, u64), EnvelopeError> {
        let trace = self.0.try_get_u128_le().map_err(|_| EnvelopeError::Truncated)?;
        Ok((trace, self.long()?))
    }

    pub(super) fn load(&mut self) -> Result<Load, EnvelopeError> {
        Ok(Load { messages: self.word()?, blocks: self.word()? })
    }

    pub(super) fn error(&mut self) -> Result<AskError, EnvelopeError> {
        let code = self.byte()?;
        let cause = Cause::from_code(code).ok_or(EnvelopeError::Cause(code))?;
        Ok(AskError { cause, outcome: outcome_of(self.byte()?) })
    }
}
