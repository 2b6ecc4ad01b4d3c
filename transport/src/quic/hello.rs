//! The first bytes of a link, on the control stream of each direction: who speaks which version, as which incarnation.
//!
//! The dialer speaks first, the acceptor answers, the dialer goes: `Hello`, `Hello` and link id, link id. The one with the smaller
//! name is the arbiter: it alone decides whether a new connection becomes the link, so that two that dial each other keep the
//! same one, and it names the connection by a number. Everything has a fixed bound, whatever the peer claims. The first word on either
//! control stream after that is which session the end holds, and what it has received of it (`crate::session`).

use quinn::{ReadExactError, RecvStream};

use crate::contract::TransportError;

/// The version of the link protocol that this crate speaks.
pub(crate) const VERSION: u16 = 3;

const MAGIC: [u8; 6] = *b"synod\n";
/// Magic, version, length of the rest.
const HEAD: usize = MAGIC.len() + 2 + 2;
/// The fields of this version.
const BODY: usize = 8 + 4 + 8 + 8;
/// Later versions may say more; this much is skipped.
const BODY_MAX: usize = 1024;

/// What each end says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// Which process start this is.
    pub(crate) incarnation: u64,
    /// The largest frame body it takes, in bytes.
    pub(crate) frame_max: u32,
    /// The latest link between the two that it knows to be over: the arbiter's incarnation and the link's id.
    pub(crate) over: (u64, u64),
}

/// Why there is no hello.
#[derive(Debug)]
pub(crate) enum HelloError {
    /// The connection ended first.
    Stream(ReadExactError),
    /// What came is none.
    Refused(TransportError),
}

impl Hello {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + BODY);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(BODY as u16).to_le_bytes());
        bytes.extend_from_slice(&self.incarnation.to_le_bytes());
        bytes.extend_from_slice(&self.frame_max.to_le_bytes());
        bytes.extend_from_slice(&self.over.0.to_le_bytes());
        bytes.extend_from_slice(&self.over.1.to_le_bytes());
        bytes
    }

    /// Reads a hello; the version is looked at before anything that depends on it.
    pub(crate) async fn read(stream: &mut RecvStream) -> Result<Self, HelloError> {
        let mut head = [0; HEAD];
        stream.read_exact(&mut head).await.map_err(HelloError::Stream)?;
        let length = Self::check(&head).map_err(HelloError::Refused)?;
        let mut body = [0; BODY_MAX];
        stream.read_exact(&mut body[..length]).await.map_err(HelloError::Stream)?;
        Ok(Self::decode(&body))
    }

    /// Reads a hello and tells how long it is; `None` when it is not whole.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, TransportError> {
        let Some((head, rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let length = Self::check(head)?;
        let Some(found) = rest.get(..length) else { return Ok(None) };
        let mut body = [0; BODY_MAX];
        body[..length].copy_from_slice(found);
        Ok(Some((Self::decode(&body), HEAD + length)))
    }

    /// The length of the body.
    fn check(head: &[u8; HEAD]) -> Result<usize, TransportError> {
        let malformed = |text: String| Err(TransportError::Handshake(text));
        if head[..MAGIC.len()] != MAGIC {
            return malformed("it does not begin as a hello does".to_owned());
        }
        let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let version = number(MAGIC.len());
        if version != VERSION {
            return Err(TransportError::Version { found: version, supported: VERSION });
        }
        let length = usize::from(number(MAGIC.len() + 2));
        if !(BODY..=BODY_MAX).contains(&length) {
            return malformed(format!("a hello of {length} bytes"));
        }
        Ok(length)
    }

    fn decode(body: &[u8; BODY_MAX]) -> Self {
        let long = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&body[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let frame_max = u32::from_le_bytes([body[8], body[9], body[10], body[11]]);
        Self { incarnation: long(0), frame_max, over: (long(12), long(20)) }
    }
}

/// Reads the number that the arbiter gave the link.
pub(crate) async fn read_link_id(stream: &mut RecvStream) -> Result<u64, HelloError> {
    let mut bytes = [0; 8];
    stream.read_exact(&mut bytes).await.map_err(HelloError::Stream)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: Hello = Hello { incarnation: 7, frame_max: 9, over: (u64::MAX, 3) };

    fn read(bytes: &[u8]) -> Result<Hello, TransportError> {
        let (hello, taken) = Hello::parse(bytes)?.expect("it is whole");
        assert_eq!(taken, bytes.len());
        Ok(hello)
    }

    #[test]
    fn reads_back_and_skips_what_later_versions_add() {
        assert_eq!(read(&HELLO.encode()), Ok(HELLO));
        let mut longer = HELLO.encode();
        longer[MAGIC.len() + 2] += 3;
        longer.extend_from_slice(&[1, 2, 3]);
        assert_eq!(read(&longer), Ok(HELLO));
    }

    #[test]
    fn refuses_other_magic_versions_and_lengths() {
        for (at, byte) in [(0, b'S'), (MAGIC.len() + 2, 1), (MAGIC.len() + 3, 0xFF)] {
            let mut bytes = HELLO.encode();
            bytes[at] = byte;
            assert!(matches!(read(&bytes), Err(TransportError::Handshake(_))), "byte {at}");
        }
        let mut bytes = HELLO.encode();
        bytes[MAGIC.len()] = 1;
        assert_eq!(read(&bytes), Err(TransportError::Version { found: 1, supported: 3 }));
    }
}
