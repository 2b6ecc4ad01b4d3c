//! The first word of each end over a connection: which session it holds, and how much of it it has received.

use super::open::SessionName;
use crate::lane::REPLAYED;

/// How many bytes it takes.
pub(crate) const RESUME_BYTES: usize = 16 + 8 * REPLAYED;

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    /// The session; when the end holds none, the one that this connection begins.
    pub(crate) session: SessionName,
    /// Frames of each lane that were handed to the receiver.
    pub(crate) received: [u64; REPLAYED],
}

impl Resume {
    pub(crate) fn encode(&self) -> [u8; RESUME_BYTES] {
        let mut bytes = [0; RESUME_BYTES];
        let numbers = [self.session.0, self.session.1].into_iter().chain(self.received);
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; RESUME_BYTES]) -> Self {
        let mut numbers = [0; 2 + REPLAYED];
        for (number, place) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(place);
            *number = u64::from_le_bytes(word);
        }
        let [arbiter, link, received @ ..] = numbers;
        Self { session: SessionName(arbiter, link), received }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote() {
        let resume = Resume { session: SessionName(7, u64::MAX), received: [1, 2, 3, u64::MAX, 5] };
        assert_eq!(Resume::decode(&resume.encode()), resume);
    }
}
