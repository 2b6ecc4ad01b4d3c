//! The plain put as it stands in logs, read without copying: almost all that a busy map is told.
//!
//! Not a decoder of its own: what is not written exactly so is left to the general one, which has the last word on all of it.

/// What the encoding of a put of four fields begins with (MessagePack: a map of one name, an array of four).
const BEGIN: &[u8] = b"\x81\xa3Put\x94";
/// And ends with: no expectation and no lease.
const END: &[u8] = b"\xa3Any\xc0";

/// A put that expects nothing and has no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainPut<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a [u8],
}

impl<'a> PlainPut<'a> {
    /// The put that `command` is, if it is one.
    pub(super) fn read(command: &'a [u8]) -> Option<Self> {
        let inner = command.strip_prefix(BEGIN)?.strip_suffix(END)?;
        let (key, rest) = text(inner)?;
        let value = binary(rest)?;
        Some(Self { key: std::str::from_utf8(key).ok()?, value })
    }
}

/// A text and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match bytes {
        [marker @ 0xa0..=0xbf, rest @ ..] => rest.split_at_checked(usize::from(marker & 0x1f)),
        [0xd9, length, rest @ ..] => rest.split_at_checked(usize::from(*length)),
        [0xda, high, low, rest @ ..] => rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// The bytes, if they are all there is.
fn binary(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = match bytes {
        [0xc4, length, rest @ ..] => (usize::from(*length), rest),
        [0xc5, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [0xc6, a, b, c, d, rest @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return None,
    };
    (rest.len() == length).then_some(rest)
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use synod_protocols::LogIndex;
    use synod_protocols::prng::Prng;

    use super::*;
    use crate::services::kv::command::Command;
    use crate::services::kv::model::{Expect, LeaseId, Put};
    use crate::wire::{Form, decode, encode};

    fn encoded(key: &str, value: &[u8], expect: Expect, lease: Option<LeaseId>) -> BytesMut {
        let put = Put { key: key.into(), value: Bytes::copy_from_slice(value), expect, lease };
        let mut out = BytesMut::new();
        encode(&Command::Put(put), Form::Compact, &mut out).unwrap();
        out
    }

    #[test]
    fn plain_puts_of_all_lengths_are_read_as_the_decoder_reads_them() {
        for key in [0, 1, 31, 32, 255, 256, 1_024] {
            for value in [0, 1, 255, 256, 65_535, 65_536] {
                let (key, value) = ("ü".repeat(key / 2) + &"k".repeat(key % 2), vec![0xa3; value]);
                let bytes = encoded(&key, &value, Expect::Any, None);
                assert_eq!(PlainPut::read(&bytes), Some(PlainPut { key: &key, value: &value }));
            }
        }
    }

    #[test]
    fn what_asks_for_more_is_left_to_the_decoder() {
        for expect in [Expect::Absent, Expect::Value(Bytes::from_static(b"v")), Expect::Index(LogIndex(1))] {
            assert_eq!(PlainPut::read(&encoded("k", b"v", expect, None)), None);
        }
        assert_eq!(PlainPut::read(&encoded("k", b"v", Expect::Any, Some(LeaseId(1)))), None);
        for value in [END, b"\xc4\x00\xa3Any\xc0"] {
            let bytes = encoded("k", value, Expect::Any, None);
            assert_eq!(PlainPut::read(&bytes), Some(PlainPut { key: "k", value }), "a value like an end");
        }
    }

    #[test]
    fn nothing_is_read_that_the_decoder_refuses_or_reads_otherwise() {
        let mut prng = Prng::new(3);
        let mut read = 0;
        for _ in 0..100_000 {
            let (key, value) = ("k".repeat(prng.below(40) as usize), vec![0; prng.below(300) as usize]);
            let mut bytes = encoded(&key, &value, Expect::Any, None);
            for _ in 0..=prng.below(2) {
                let at = prng.below(bytes.len() as u64) as usize;
                // Markers stand at the beginning of parts: these are hit often enough.
                let at = if prng.chance(0.7) { at.min(8) } else { at };
                bytes[at] = if prng.chance(0.5) { prng.below(256) as u8 } else { bytes[at] ^ 1 };
            }
            if prng.chance(0.1) {
                bytes.truncate(prng.below(bytes.len() as u64) as usize);
            }
            let Some(plain) = PlainPut::read(&bytes) else { continue };
            read += 1;
            let expected = Put {
                key: plain.key.into(),
                value: Bytes::copy_from_slice(plain.value),
                expect: Expect::Any,
                lease: None,
            };
            assert_eq!(decode::<Command>(&bytes, usize::MAX).unwrap(), Command::Put(expected));
        }
        assert!(read > 10_000, "only {read} were read at all");
    }
}
