//! A reply as the session table keeps it: a short one in place, so that replies come and go without memory of their own.
//!
//! Not for replies under way; those are `Bytes`.

use std::fmt;

use bytes::Bytes;

/// Longer replies have memory of their own. The reply to a plain write of a map fits, with whatever marks its request.
const SHORT: usize = 38;

/// The bytes of one reply.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// The first `length` of `bytes`; zeros behind.
    Short {
        length: u8,
        bytes: [u8; SHORT],
    },
    Long(Bytes),
}

impl Kept {
    pub(super) fn of(reply: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..reply.len()) {
            Some(start) => {
                start.copy_from_slice(reply);
                Self::Short { length: reply.len() as u8, bytes }
            }
            None => Self::Long(Bytes::copy_from_slice(reply)),
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long(bytes) => bytes,
        }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Short { .. } => Bytes::copy_from_slice(self.as_slice()),
            Self::Long(bytes) => bytes.clone(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_bytes(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_any_length_is_kept_as_it_is() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 1_000] {
            let reply: Vec<u8> = (0..length).map(|at| at as u8 | 1).collect();
            let kept = Kept::of(&reply);
            assert_eq!((kept.as_slice(), &kept.to_bytes()[..], kept.len()), (&reply[..], &reply[..], length));
            assert_eq!(matches!(kept, Kept::Short { .. }), length <= SHORT);
        }
        assert!(size_of::<Kept>() <= 40);
    }
}
