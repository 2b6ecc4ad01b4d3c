//! How the messages of many machines share one frame: machine, length, message, again and again.
//!
//! Lengths are little-endian. A frame that is cut or lies about a length gives what stands before the fault.

use bytes::{BufMut, Bytes, BytesMut};
use synod_protocols::Protocol;

use crate::address::MachineId;
use crate::wire::{DecodeError, Form, decode, encode};

/// The longest message that is decoded, in bytes; longer ones were not sent by us.
pub(crate) const MESSAGE_BYTES: usize = 64 << 20;

const HEADER: usize = 8 + 4;

/// Appends one message; leaves `out` as it was and says why if it cannot be encoded.
pub(crate) fn put<P: Protocol>(
    machine: MachineId,
    message: &P::Message,
    form: Form,
    out: &mut BytesMut,
) -> Result<(), String> {
    let start = out.len();
    out.put_u64_le(machine.0);
    out.put_u32_le(0);
    if let Err(error) = encode(message, form, out) {
        out.truncate(start);
        return Err(error.to_string());
    }
    let length = out.len() - start - HEADER;
    let Ok(length) = u32::try_from(length) else {
        out.truncate(start);
        return Err(format!("{length} bytes"));
    };
    out[start + 8..start + HEADER].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Takes the next message's machine and bytes off a frame; `None` at its end.
///
/// # Errors
/// [`Cut`] when the rest is no message.
pub(crate) fn next(frame: &mut Bytes) -> Option<Result<(MachineId, Bytes), Cut>> {
    if frame.is_empty() {
        return None;
    }
    let Some((header, _)) = frame.split_first_chunk::<HEADER>() else { return Some(Err(Cut)) };
    let (machine, length) = header.split_first_chunk::<8>()?;
    let machine = MachineId(u64::from_le_bytes(*machine));
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    if frame.len() - HEADER < length {
        return Some(Err(Cut));
    }
    let mut message = frame.split_to(HEADER + length);
    Some(Ok((machine, message.split_off(HEADER))))
}

/// Reads one message.
///
/// # Errors
/// When the bytes are not one of this protocol.
pub(crate) fn message<P: Protocol>(bytes: &[u8]) -> Result<P::Message, DecodeError> {
    decode(bytes, MESSAGE_BYTES)
}

/// The rest of a frame is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;
