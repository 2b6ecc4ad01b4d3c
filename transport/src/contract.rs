//! What users of a transport see: [`Transport`], [`Link`] and the [`Receiver`] that hears what arrives.
//!
//! Both traits are object-safe and have two implementations, QUIC and in-memory. A link is a session between two living incarnations,
//! carried by one connection after the other: what a connection did not bring before it broke is written again to the next one, so
//! that the peer's receiver gets every frame once and in order. Only what says so belongs to one connection: bulk streams, datagrams
//! and the fleeting lane. When the link ends, every frame that the peer is not known to have received is given back, once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::BoxFuture;

use crate::identity::Identity;
use crate::lane::Lane;
use crate::length;
use crate::metrics::Metrics;
use crate::peer::{Address, Peer, PeerName, Role};

/// A node's or client's end of all its links.
pub trait Transport: Send + Sync + 'static {
    /// The address peers can dial.
    fn local_address(&self) -> SocketAddr;

    /// Keeps a link to this address: dials, and after a loss dials again with seeded backoff, until [`Transport::forget`].
    /// Two nodes that dial each other end up with one link. Every failed attempt is told to the receiver.
    fn connect(&self, address: Address);

    /// Dials no longer and closes the link, if there is one.
    fn forget(&self, address: &Address);

    /// The living link to a peer.
    fn link(&self, peer: &PeerName) -> Option<Arc<dyn Link>>;

    /// What has been counted since the start.
    fn metrics(&self) -> Metrics;

    /// Lets another certificate of the same process, or other trusted authorities, take the place of those before: for handshakes that
    /// begin afterwards. A connection to a peer who would be refused under them is ended, and its link waits for another connection.
    ///
    /// # Errors
    /// [`RenewError`]; everything stays as it was.
    fn renew(&self, _identity: &Identity) -> Result<(), RenewError> {
        Err(RenewError::NoCertificates)
    }

    /// Closes every link with `reason`, letting queued frames out for at most `grace`, and frees the address.
    fn close(&self, reason: CloseReason, grace: Duration) -> BoxFuture<'static, ()>;
}

/// A session with one incarnation of one peer.
pub trait Link: Send + Sync + 'static {
    /// The other end.
    fn peer(&self) -> &Peer;

    /// This link's id, never repeated within this process.
    fn session(&self) -> u64;

    /// The number of the connection that carries the link, never repeated within this process; `None` while there is none.
    fn connection(&self) -> Option<u64>;

    /// Appends one frame to the lane's open batch; `encode` writes the body straight into it and must only append. The batch
    /// leaves when the one before has been written, and waits while there is no connection. Nothing is appended when an error is
    /// returned. What was appended reaches the peer's receiver once, or comes back to [`Receiver::returned`] once; on the fleeting
    /// lane neither is sure.
    ///
    /// # Errors
    /// [`LinkError::Closed`] when the link is gone, and on the fleeting lane while there is no connection, [`LinkError::Full`] when
    /// the lane holds its limit of unsent bytes,
    /// [`LinkError::TooLarge`] when the body exceeds the frame limit.
    fn send(&self, lane: Lane, encode: &mut dyn FnMut(&mut BytesMut)) -> Result<(), LinkError>;

    /// Completes when the lane has room for a frame, or the link is gone.
    fn ready(&self, lane: Lane) -> BoxFuture<'static, Result<(), LinkError>>;

    /// Sends an unreliable, unordered message of at most [`Link::max_datagram`] bytes.
    ///
    /// # Errors
    /// [`LinkError::Closed`], [`LinkError::TooLarge`].
    fn datagram(&self, payload: Bytes) -> Result<(), LinkError>;

    /// The largest datagram the path carries, in bytes.
    fn max_datagram(&self) -> usize;

    /// Opens a stream of its own for something large; `header` arrives first, as a whole. The stream breaks with its connection.
    fn open_bulk(&self, header: Bytes) -> BoxFuture<'static, Result<Box<dyn BulkSender>, LinkError>>;

    /// The largest frame body in bytes.
    fn max_frame(&self) -> usize;

    /// The smoothed round-trip time.
    fn round_trip(&self) -> Duration;

    /// Bytes waiting in all lanes.
    fn queued(&self) -> usize;

    /// Closes the link; the peer is told the reason.
    fn close(&self, reason: CloseReason);
}

/// Hears what arrives. Called on the transport's own thread (on the caller's in simulation): it must not block.
pub trait Receiver: Send + Sync + 'static {
    /// A peer was authenticated and a link to it is open. Comes before anything else of that link.
    fn connected(&self, link: Arc<dyn Link>);

    /// The connection broke. The link takes frames as before and waits for another connection.
    fn interrupted(&self, link: &Arc<dyn Link>, reason: &CloseReason);

    /// Another connection carries the link. What the one before did not bring comes over it.
    fn resumed(&self, link: &Arc<dyn Link>);

    /// The link has ended for this reason, and these frames, in the order of their lane, are not known to have reached the peer's
    /// receiver. Comes before [`Receiver::disconnected`].
    fn returned(&self, link: &Arc<dyn Link>, frames: Frames, known: Undelivered, reason: &CloseReason);

    /// The link is gone. Comes once, after everything else of that link.
    fn disconnected(&self, peer: &Peer, session: u64, reason: CloseReason);

    /// All frames that one read brought, in the lane's order.
    fn frames(&self, link: &Arc<dyn Link>, lane: Lane, frames: Frames);

    /// A datagram.
    fn datagram(&self, link: &Arc<dyn Link>, payload: Bytes);

    /// A peer opened a bulk stream.
    fn bulk(&self, link: &Arc<dyn Link>, header: Bytes, stream: Box<dyn BulkReceiver>);

    /// A peer was refused, or an address could not be dialled. Nothing of it reaches anybody else.
    fn refused(&self, refusal: Refusal);
}

/// The sending end of a bulk stream.
pub trait BulkSender: Send {
    /// Sends one chunk, waiting for the path to take it.
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), LinkError>>;

    /// Says that all has been sent, and waits until the peer's transport has all of it.
    fn finish(&mut self) -> BoxFuture<'_, Result<(), LinkError>>;
}

/// The receiving end of a bulk stream.
pub trait BulkReceiver: Send {
    /// The next bytes; `None` after the sender's `finish`.
    fn read(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, LinkError>>;
}

/// Complete frames of one lane, as one piece of memory: each frame is a little-endian `u32` length and that many bytes.
#[derive(Clone, Debug)]
pub struct Frames {
    bytes: Bytes,
}

impl Frames {
    /// Frames from bytes that hold whole frames and nothing else.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The bytes of all frames with their lengths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no frame left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Iterator for Frames {
    type Item = Bytes;

    /// The next frame's body, as a slice of the one piece.
    fn next(&mut self) -> Option<Bytes> {
        let (header, length) = length::read(&self.bytes).ok()??;
        let mut frame = self.bytes.split_to((header + length).min(self.bytes.len()));
        frame.advance(header);
        Some(frame)
    }
}

/// What is known of frames that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// They were never written to any connection.
    NeverSent,
    /// They were written, and the peer has not said that it received them.
    Unacknowledged,
}

/// Why a link ended, or a connection of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// This end or the other shut down in order.
    Shutdown,
    /// A newer connection between the same two incarnations took its place.
    Replaced,
    /// The same peer came back as a later incarnation.
    Restarted,
    /// The peer was removed from the configuration.
    Forgotten,
    /// Nothing was heard for the idle timeout.
    Idle,
    /// The connection broke.
    Lost(String),
    /// The peer broke the rules of the transport; the text names the rule.
    Violation(String),
}

/// Why a link did not take something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The link is gone; nothing was sent.
    #[error("the link is closed")]
    Closed,
    /// The lane holds its limit of unsent bytes; nothing was sent.
    #[error("the lane holds its limit of unsent bytes")]
    Full,
    /// The body exceeds the limit; nothing was sent.
    #[error("{size} bytes exceed the limit of {limit}")]
    TooLarge {
        /// The size asked for, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The stream broke after it was opened; the peer may have a part.
    #[error("the stream broke: {0}")]
    Broken(String),
}

/// A connection that did not come about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint}: {error}")]
pub struct Refusal {
    /// The address dialled, or the one the peer came from.
    pub endpoint: String,
    /// Whom we dialled, when we dialled somebody by name.
    pub expected: Option<PeerName>,
    /// What was wrong.
    pub error: TransportError,
}

/// Why a connection did not come about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The peer's certificate was not issued by this cluster's authority.
    #[error("the certificate was issued by another authority")]
    WrongAuthority,
    /// The peer's certificate has expired.
    #[error("the certificate has expired")]
    Expired,
    /// The peer's certificate is not valid yet.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The peer's certificate is one of those that this process was told to accept no longer.
    #[error("the certificate was revoked")]
    Revoked,
    /// The peer's certificate names another cluster.
    #[error("the certificate is for the cluster {found:?}, this is {expected:?}")]
    WrongCluster {
        /// This cluster.
        expected: String,
        /// The certificate's.
        found: String,
    },
    /// The peer's certificate names another node than the one dialled.
    #[error("the certificate is for the node {found}, expected {expected}")]
    WrongNode {
        /// Whom we dialled.
        expected: PeerName,
        /// Who answered.
        found: PeerName,
    },
    /// A client answered where a member was dialled.
    #[error("{found:?} {name} answered where a member was dialled")]
    WrongRole {
        /// Who answered.
        name: PeerName,
        /// The role in its certificate.
        found: Role,
    },
    /// The peer showed no certificate.
    #[error("the peer showed no certificate")]
    NoCertificate,
    /// The certificate is malformed or has no usable name.
    #[error("the certificate is unusable: {0}")]
    BadCertificate(String),
    /// The peer speaks another version of the link protocol.
    #[error("the peer speaks link version {found}, this node {supported}")]
    Version {
        /// The peer's version.
        found: u16,
        /// Ours.
        supported: u16,
    },
    /// The peer is this very node.
    #[error("the address is this node's own")]
    Myself,
    /// A later incarnation of the same name is connected: this is an earlier one, or two processes bear one name.
    #[error("incarnation {found} comes after incarnation {known} of the same name has connected")]
    Superseded {
        /// The incarnation that was refused.
        found: u64,
        /// The one that is connected.
        known: u64,
    },
    /// The peer broke the handshake's rules.
    #[error("the handshake is malformed: {0}")]
    Handshake(String),
    /// The peer refused us.
    #[error("the peer refused: {0}")]
    RefusedByPeer(String),
    /// The address could not be resolved or reached in time.
    #[error("unreachable: {0}")]
    Unreachable(String),
}

/// An identity that did not take the place of the one before; everything stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// It names somebody else.
    #[error("the certificate is for {found:?}, this process is {expected:?}")]
    Another {
        /// This process.
        expected: String,
        /// Whom the certificate names.
        found: String,
    },
    /// TLS cannot use it.
    #[error("the identity cannot be used: {0}")]
    Unusable(String),
    /// Whoever trusts the authorities that come with it would refuse it.
    #[error("whoever trusts the same authorities would refuse it: {0}")]
    Unacceptable(TransportError),
    /// Links of this kind have no certificates.
    #[error("there are no certificates on this network")]
    NoCertificates,
}

impl TransportError {
    /// All kinds of refusals, for a metric that is there before the first one.
    pub const KINDS: [&str; 15] = [
        "wrong_authority",
        "expired",
        "not_yet_valid",
        "revoked",
        "wrong_cluster",
        "wrong_node",
        "wrong_role",
        "no_certificate",
        "bad_certificate",
        "version",
        "myself",
        "superseded",
        "handshake",
        "refused_by_peer",
        "unreachable",
    ];

    /// The word for a metric's label, one of [`TransportError::KINDS`].
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::WrongAuthority => "wrong_authority",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::WrongCluster { .. } => "wrong_cluster",
            Self::WrongNode { .. } => "wrong_node",
            Self::WrongRole { .. } => "wrong_role",
            Self::NoCertificate => "no_certificate",
            Self::BadCertificate(_) => "bad_certificate",
            Self::Version { .. } => "version",
            Self::Myself => "myself",
            Self::Superseded { .. } => "superseded",
            Self::Handshake(_) => "handshake",
            Self::RefusedByPeer(_) => "refused_by_peer",
            Self::Unreachable(_) => "unreachable",
        }
    }
}
