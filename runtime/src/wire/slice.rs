//! Byte fields without a copy: `#[serde(with = "synod::wire::slice")]` on a field of type `Bytes`.
//!
//! A large frame that arrives is one piece of memory; such a field becomes a slice of it. Anywhere else, and in small frames,
//! the bytes are copied. What is written is the same as without.

use std::fmt;

use bytes::Bytes;
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use crate::scope::slice_of_frame;

/// Writes the bytes.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Reads the bytes, as a slice of the frame where there is one.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    struct Slice;
    impl Visitor<'_> for Slice {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
            Ok(slice_of_frame(bytes).unwrap_or_else(|| Bytes::copy_from_slice(bytes)))
        }

        fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
            Ok(Bytes::from(bytes))
        }
    }
    deserializer.deserialize_bytes(Slice)
}
