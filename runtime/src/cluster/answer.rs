//! What a request comes to, on its way from the link to whoever asked.
//!
//! A short body travels by value: what the link's thread and the asker's would both count references to, they would wait for.

use std::ops::Deref;

use bytes::Bytes;

use crate::error::AskError;

/// The answer's body, or why there is none.
pub(crate) type Answer = Result<Body, AskError>;

/// Longer ones stay where they came.
const SHORT: usize = 119;

/// The body of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// So many of these bytes.
    Short(u8, [u8; SHORT]),
    /// A part of what came with it.
    Whole(Bytes),
}

impl Body {
    /// The body that these bytes are.
    pub(crate) fn of(bytes: Bytes) -> Self {
        if bytes.len() > SHORT {
            return Self::Whole(bytes);
        }
        let mut short = [0; SHORT];
        short[..bytes.len()].copy_from_slice(&bytes);
        Self::Short(bytes.len() as u8, short)
    }

    /// The bytes, for somebody who keeps them.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Short(length, bytes) => Bytes::copy_from_slice(&bytes[..usize::from(length)]),
            Self::Whole(bytes) => bytes,
        }
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => &bytes[..usize::from(*length)],
            Self::Whole(bytes) => bytes,
        }
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Body {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_any_length_is_what_it_was() {
        for length in [0, 1, SHORT, SHORT + 1, 5_000] {
            let bytes: Bytes = (0..length).map(|at| at as u8).collect::<Vec<_>>().into();
            let body = Body::of(bytes.clone());
            assert_eq!(body[..], bytes[..]);
            assert_eq!(body.into_bytes(), bytes);
        }
        assert_ne!(Body::of(Bytes::from_static(b"ab")), Body::of(Bytes::from_static(b"a")));
    }
}
