//! Who is at the other end of a link: a name, a role, an incarnation, all of them proved or stated in the handshake.
//!
//! Not an address: a peer keeps its name when it moves.

use std::fmt;
use std::sync::Arc;

/// The name of a node or client within its cluster, as its certificate says: 1 to 63 of `a-z`, `0-9` and inner `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerName(Arc<str>);

/// What a certificate entitles its owner to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A node of the cluster.
    Member,
    /// An identity that calls the cluster's actors and hosts none.
    Client,
}

/// The other end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name, from its certificate.
    pub name: PeerName,
    /// Its role, from its certificate.
    pub role: Role,
    /// Which process start of that name this is, from its hello.
    pub incarnation: u64,
}

/// Where to dial, and whom to expect there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `host:port`; the host is an IP address or a name that the operating system resolves.
    pub endpoint: String,
    /// The name the certificate has to bear; `None` for a seed, of which only the cluster is known.
    pub name: Option<PeerName>,
}

impl PeerName {
    /// A name, if `name` is one.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let valid = !name.is_empty()
            && name.len() <= 63
            && name.bytes().all(inner)
            && !name.starts_with('-')
            && !name.ends_with('-');
        valid.then(|| Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}
