//! The bytes of a lane, cut into frames. The first two bytes of an input say into how large pieces the rest is cut on the way.

use bytes::Bytes;
use synod::transport::entrances::{Cut, cut};

use crate::target::{Target, Verdict, unsealed};

pub(crate) const TARGET: Target =
    Target { name: "frame", seeds, reseal: unsealed, run, most: |length| 128 * length + 4096 };

/// The limit of a frame.
const FRAME_MAX: usize = 1024;

fn run(input: &[u8]) -> Verdict {
    let Some((size, lane)) = input.split_first_chunk::<2>() else { return Verdict::Refused(String::new()) };
    let size = usize::from(u16::from_le_bytes(*size)).max(1);
    let pieces: Vec<Bytes> = lane.chunks(size).map(Bytes::copy_from_slice).collect();
    let Cut { frames, oversized, midway } = cut(&pieces, FRAME_MAX);
    let (mut at, mut count) = (0, 0);
    for frame in frames.into_iter().flatten() {
        assert!(frame.len() <= FRAME_MAX, "a frame of {} bytes", frame.len());
        let (header, length) = length_of(&lane[at..]).expect("a whole length");
        at += header;
        assert_eq!((length, &lane[at..][..frame.len()]), (frame.len() as u64, &frame[..]));
        at += frame.len();
        count += 1;
    }
    match oversized {
        Some(claimed) => {
            assert!(claimed > FRAME_MAX);
            Verdict::Refused("oversized".to_owned())
        }
        None => {
            assert_eq!(midway, at < lane.len(), "what is left is a part of a frame");
            // Of what is not whole, the length alone may be there, or a length within the limit.
            let rest = &lane[at..];
            let claim = length_of(rest);
            assert!(claim.is_none_or(|(header, claim)| {
                claim <= FRAME_MAX as u64 && rest.len() < header + claim as usize
            }));
            Verdict::Taken(count)
        }
    }
}

/// The bytes of a length and what it is, if it is whole: seven bits a byte, the highest bit says that another follows.
fn length_of(bytes: &[u8]) -> Option<(usize, u64)> {
    let header = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let bits = bytes[..header].iter().rev().map(|byte| u64::from(byte & 0x7F));
    Some((header, bits.fold(0, |length, bits| length << 7 | bits)))
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let lane = |size: u16, bodies: &[&[u8]]| {
        let frame = |body: &&[u8]| {
            let length = body.len();
            [&[length as u8 | 0x80, (length >> 7) as u8][..], body].concat()
        };
        [size.to_le_bytes().to_vec(), bodies.iter().flat_map(frame).collect()].concat()
    };
    vec![
        ("three-frames", lane(7, &[b"one", b"", b"three"])),
        ("byte-by-byte", lane(1, &[b"slow", &[0xAB; 200]])),
        ("largest", lane(100, &[&[1; FRAME_MAX]])),
        ("claims-four-gigabytes", [&[8, 0][..], &[0xFF; 12]].concat()),
        ("claims-one-too-many", [&[8, 0][..], &[0x81, 0x08], b"x"].concat()),
    ]
}
