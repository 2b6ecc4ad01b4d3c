//! What nodes say to each other about topics: the frames of the protocol `topics`.
//!
//! The first byte says which it is; numbers are little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::address::ProtocolId;
use crate::cluster::Spoken;
use crate::topics::interest::{Change, TopicNumber, Version};
use crate::wire::{Form, decode, encode, traced};

/// The protocol's name on the wire.
const PROTOCOL: &str = "topics";

const NOTICE: u8 = 1;
const PUBLICATION: u8 = 2;
const AGAIN: u8 = 3;

/// The longest notice that is read.
const NOTICE_BYTES_MAX: usize = 1 << 20;

/// What changed in what a node has subscribers for, between two versions of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notice {
    /// What the receiver is taken to know; nothing, when this is the whole.
    pub(super) base: Version,
    /// What it knows afterwards.
    pub(super) version: Version,
    pub(super) changes: Vec<Change>,
}

/// A frame between nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// What the sender has subscribers for has changed. Owed: [`Word::Again`] if the base is not what is known.
    Notice(Notice),
    /// Something was published under the topic to which the receiver gave this number.
    Publication(TopicNumber, Bytes),
    /// A notice did not follow what is known: tell the whole.
    Again,
}

impl Word {
    /// The protocol as this program knows it.
    pub(super) fn spoken() -> Spoken {
        Spoken { name: PROTOCOL, shape: traced::<Notice>() }
    }

    /// The protocol's number.
    pub(super) fn protocol() -> ProtocolId {
        ProtocolId::of(PROTOCOL)
    }

    /// Reads a frame; `None` when it is none.
    pub(super) fn read(mut frame: Bytes) -> Option<Self> {
        match frame.try_get_u8().ok()? {
            NOTICE => decode(&frame, NOTICE_BYTES_MAX).ok().map(Self::Notice),
            PUBLICATION => Some(Self::Publication(TopicNumber(frame.try_get_u64_le().ok()?), frame)),
            AGAIN if frame.is_empty() => Some(Self::Again),
            _ => None,
        }
    }

    /// Writes a frame, in the form that the receiver reads.
    pub(super) fn write(&self, form: Form, out: &mut BytesMut) {
        match self {
            Self::Notice(notice) => {
                out.put_u8(NOTICE);
                encode(notice, form, out).expect("a derived Serialize of plain data does not refuse");
            }
            Self::Publication(number, payload) => {
                out.put_u8(PUBLICATION);
                out.put_u64_le(number.0);
                out.extend_from_slice(payload);
            }
            Self::Again => out.put_u8(AGAIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written_and_nothing_else_is_one() {
        let change = Change { topic: "prices".into(), number: Some(TopicNumber(7)) };
        let notice = Notice { base: Version(1), version: Version(3), changes: vec![change] };
        let publication = Word::Publication(TopicNumber(7), Bytes::from_static(b"words"));
        for word in [Word::Notice(notice), publication.clone(), Word::Again] {
            let mut out = BytesMut::new();
            word.write(Form::Named, &mut out);
            assert_eq!(Word::read(out.freeze()), Some(word));
        }
        let mut out = BytesMut::new();
        publication.write(Form::Compact, &mut out);
        assert_eq!(&out[..], b"\x02\x07\0\0\0\0\0\0\0words", "golden");
        for frame in [&b""[..], b"\x00", b"\x01", b"\x01\xc1", b"\x02\x07", b"\x03\x00", b"\x04"] {
            assert_eq!(Word::read(Bytes::copy_from_slice(frame)), None, "{frame:?}");
        }
    }
}
