//! How commands and their results stand in the log and on the wire: one byte that says what follows, then MessagePack.
//!
//! A payload that this version cannot read is refused in the same way on every replica of this version and changes nothing. A form
//! that older versions cannot read may therefore be proposed only once every member runs a version that can.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::{EncodeError, Form, decode, encode};

/// The form of commands and queries.
const FORM: u8 = 1;
/// Room made before encoding, so that most commands need no more.
const USUAL_COMMAND: usize = 128;
/// Longer payloads were not made by us.
const PAYLOAD_BYTES: usize = 256 << 20;

const REPLY: u8 = 0;
const UNREADABLE: u8 = 1;
const STALE: u8 = 2;
const EXPIRED: u8 = 3;
const REUSED: u8 = 4;

/// What became of a command in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It took effect, this time or at an earlier attempt; its encoded reply.
    Reply(Bytes),
    /// The replicas cannot read it.
    Unreadable,
    /// Whether an earlier attempt took effect is no longer known; this one did not.
    Stale,
    /// Its session is not known; it did not take effect.
    Expired,
    /// Another command took effect under its tag; it did not.
    Reused,
}

impl Settled {
    /// Writes a result that bears a reply.
    pub(crate) fn put_reply<T: Serialize>(reply: &T, out: &mut BytesMut) {
        out.put_u8(REPLY);
        if let Err(error) = encode(reply, Form::Compact, out) {
            // The command has taken effect; only its answer cannot be told. The same on every replica.
            tracing::error!(%error, "a reply cannot be encoded");
            out.truncate(out.len() - 1);
            Self::put_unreadable(out);
        }
    }

    /// Writes the result of a command that cannot be read.
    pub(crate) fn put_unreadable(out: &mut BytesMut) {
        out.put_u8(UNREADABLE);
    }

    pub(crate) const fn stale() -> Bytes {
        Bytes::from_static(&[STALE])
    }

    pub(crate) const fn expired() -> Bytes {
        Bytes::from_static(&[EXPIRED])
    }

    pub(crate) const fn reused() -> Bytes {
        Bytes::from_static(&[REUSED])
    }

    /// Reads a result.
    pub(crate) fn read(result: &Bytes) -> Self {
        match result.first() {
            Some(&REPLY) => Self::Reply(result.slice(1..)),
            Some(&STALE) => Self::Stale,
            Some(&EXPIRED) => Self::Expired,
            Some(&REUSED) => Self::Reused,
            Some(_) | None => Self::Unreadable,
        }
    }
}

/// A command or query as it travels.
pub(crate) fn pack<T: Serialize>(value: &T) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::with_capacity(USUAL_COMMAND);
    out.put_u8(FORM);
    encode(value, Form::Compact, &mut out)?;
    Ok(out.freeze())
}

/// The encoding of the command or query that `payload` holds; `None` when this version does not know its form.
pub(crate) fn body(payload: &[u8]) -> Option<&[u8]> {
    let (&form, body) = payload.split_first()?;
    (form == FORM && body.len() <= PAYLOAD_BYTES).then_some(body)
}

/// The command or query that `payload` holds; `None` when this version cannot read it.
pub(crate) fn unpack<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
    decode(body(payload)?, PAYLOAD_BYTES).ok()
}

/// The reply or answer in `bytes`.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    decode(bytes, PAYLOAD_BYTES).ok()
}
