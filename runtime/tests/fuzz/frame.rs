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
        let length = (frame.len() as u32).to_le_bytes();
        assert_eq!((&lane[at..at + 4], &lane[at + 4..][..frame.len()]), (&length[..], &frame[..]));
        at += 4 + frame.len();
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
            let claim = rest.first_chunk().map(|length| u32::from_le_bytes(*length) as usize);
            assert!(claim.is_none_or(|claim| claim <= FRAME_MAX && rest.len() < 4 + claim));
            Verdict::Taken(count)
        }
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let lane = |size: u16, bodies: &[&[u8]]| {
        let frame = |body: &&[u8]| [&(body.len() as u32).to_le_bytes()[..], body].concat();
        [size.to_le_bytes().to_vec(), bodies.iter().flat_map(frame).collect()].concat()
    };
    vec![
        ("three-frames", lane(7, &[b"one", b"", b"three"])),
        ("byte-by-byte", lane(1, &[b"slow", &[0xAB; 200]])),
        ("largest", lane(100, &[&[1; FRAME_MAX]])),
        ("claims-four-gigabytes", [&[8, 0][..], &[0xFF; 12]].concat()),
        ("claims-one-too-many", [&[8, 0][..], &(FRAME_MAX as u32 + 1).to_le_bytes(), b"x"].concat()),
    ]
}
