//! The one place where bytes become values and values bytes: MessagePack, with limits checked before memory is taken.
//!
//! Nothing else in this crate may decode (`clippy.toml` says so). Byte fields of type `Bytes` are copied by their own serde
//! implementation; [`super::slice`] makes them slices of the frame where that pays.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec_error::{DecodeError, EncodeError};
use super::scan::{DEPTH_LIMIT, check};

/// How structs are written. Both forms are read by the same [`decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As arrays: small, and only for a reader with the same schema.
    Compact,
    /// As maps by field name: readers with another schema skip what they do not know and default what is missing.
    Named,
}

/// Reads one value of at most `limit` bytes; all bytes have to belong to it.
///
/// # Errors
/// [`DecodeError`], before anything was allocated for a length that is not there.
#[expect(clippy::disallowed_methods, reason = "the one place with the limits")]
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { size: bytes.len(), limit });
    }
    check(bytes)?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    // The deserializer refuses the level at which its counter reaches zero.
    deserializer.set_max_depth(DEPTH_LIMIT + 1);
    T::deserialize(&mut deserializer).map_err(|error| DecodeError::Mismatch(error.to_string()))
}

/// Appends one value to `out`.
///
/// # Errors
/// [`EncodeError`] when the value's `Serialize` refuses; `out` is as before then.
pub fn encode<T: Serialize + ?Sized>(value: &T, form: Form, out: &mut BytesMut) -> Result<(), EncodeError> {
    let start = out.len();
    let written = match form {
        Form::Compact => value.serialize(&mut rmp_serde::Serializer::new(out.writer())),
        Form::Named => value.serialize(&mut rmp_serde::Serializer::new(out.writer()).with_struct_map()),
    };
    written.map_err(|error| {
        out.truncate(start);
        EncodeError(error.to_string())
    })
}

/// The compact form of one of our own words, whose `Serialize` is derived and cannot refuse.
#[must_use]
pub(crate) fn encode_body<T: Serialize>(value: &T) -> Bytes {
    let mut out = BytesMut::new();
    encode(value, Form::Compact, &mut out).expect("a derived Serialize of plain data does not refuse");
    out.freeze()
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
