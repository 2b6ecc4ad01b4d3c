//! Changes that are made to inputs: bits, numbers that programmers forget, pieces that go, come twice or come from elsewhere.

use synod::protocols::prng::Prng;

/// The longest input.
const LONGEST: usize = 32 << 10;

/// Numbers at the edge of something.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Changes an input in one to eight ways; `other` is another input.
pub(crate) fn mutate(input: &mut Vec<u8>, other: &[u8], prng: &mut Prng) {
    // Mostly little, so that what is checked first mostly passes.
    change(input, other, prng);
    for _ in 1..8 {
        if prng.chance(0.4) {
            break;
        }
        change(input, other, prng);
    }
    input.truncate(LONGEST);
}

fn change(input: &mut Vec<u8>, other: &[u8], prng: &mut Prng) {
    let at = below(input.len() + 1, prng);
    match prng.below(10) {
        0 => flip(input, prng),
        1 => overwrite(input, at, &[prng.next_u64() as u8]),
        2 | 3 => {
            let edge = *prng.pick(&EDGES).expect("there are some");
            let near = edge.wrapping_add(prng.below(3)).wrapping_sub(1);
            let (bytes, swapped) = (near.to_le_bytes(), near.to_be_bytes());
            let width = 1 << prng.below(4);
            if prng.chance(0.7) {
                overwrite(input, at, &bytes[..width]);
            } else {
                overwrite(input, at, &swapped[8 - width..]);
            }
        }
        4 => input.truncate(at),
        5 => {
            let end = at + below(input.len() - at + 1, prng).min(64);
            drop(input.drain(at..end));
        }
        6 => {
            let end = at + below(input.len() - at + 1, prng).min(256);
            let piece = input[at..end].to_vec();
            for _ in 0..=prng.below(4) {
                insert(input, at, &piece);
            }
        }
        7 => {
            let text = prng.chance(0.5);
            let byte = |byte: u8| if text { b' ' + byte % 95 } else { byte };
            let noise: Vec<u8> = (0..=prng.below(16)).map(|_| byte(prng.next_u64() as u8)).collect();
            insert(input, at, &noise);
        }
        8 => {
            let from = below(other.len() + 1, prng);
            let to = from + below(other.len() - from + 1, prng).min(512);
            insert(input, at, &other[from..to]);
        }
        _ => {
            let from = below(input.len() + 1, prng);
            let to = from + below(input.len() - from + 1, prng).min(64);
            let piece = input[from..to].to_vec();
            overwrite(input, at, &piece);
        }
    }
}

fn flip(input: &mut [u8], prng: &mut Prng) {
    let at = below(input.len(), prng);
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << prng.below(8);
    }
}

fn overwrite(input: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in input[at..].iter_mut().zip(bytes) {
        *place = *byte;
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if input.len() + piece.len() <= LONGEST {
        drop(input.splice(at..at, piece.iter().copied()));
    }
}

/// A number below `bound`; zero when there is none.
fn below(bound: usize, prng: &mut Prng) -> usize {
    prng.below((bound as u64).max(1)) as usize
}
