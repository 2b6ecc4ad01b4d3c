//! Why a connection ended, as numbers and texts of CONNECTION_CLOSE (RFC 9000 §19.19), and back.

use quinn::{ConnectionError, VarInt};

use crate::contract::{CloseReason, TransportError};

/// Why one end closes a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// An open link ends.
    Link(CloseReason),
    /// There is a link between these two already: no fault of anybody.
    Duplicate,
    /// The peer is refused before a link is open.
    Refused(String),
}

const SHUTDOWN: u32 = 0;
const REPLACED: u32 = 1;
const RESTARTED: u32 = 2;
const FORGOTTEN: u32 = 3;
const IDLE: u32 = 4;
const LOST: u32 = 5;
const VIOLATION: u32 = 6;
const DUPLICATE: u32 = 16;
const REFUSED: u32 = 17;

/// The longest text that is sent or kept, in bytes.
const TEXT_MAX: usize = 256;

/// The most bytes that a last word takes on its stream.
pub(crate) const LAST_WORD_MAX: usize = 4 + TEXT_MAX;

/// The text of a reason, fit to be sent.
fn fit(text: &str) -> &[u8] {
    &text.as_bytes()[..text.len().min(TEXT_MAX)]
}

impl Close {
    /// Closes the connection with this reason.
    pub(crate) fn apply(&self, connection: &quinn::Connection) {
        let (code, text) = self.parts();
        connection.close(VarInt::from_u32(code), fit(text));
    }

    /// The reason as the last word on a stream.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (code, text) = self.parts();
        [&code.to_le_bytes(), fit(text)].concat()
    }

    /// The peer's last word on a stream.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (code, text) = bytes.split_first_chunk()?;
        Some(Self::from_parts(u64::from(u32::from_le_bytes(*code)), text))
    }

    fn parts(&self) -> (u32, &str) {
        match self {
            Self::Link(CloseReason::Shutdown) => (SHUTDOWN, ""),
            Self::Link(CloseReason::Replaced) => (REPLACED, ""),
            Self::Link(CloseReason::Restarted) => (RESTARTED, ""),
            Self::Link(CloseReason::Forgotten) => (FORGOTTEN, ""),
            Self::Link(CloseReason::Idle) => (IDLE, ""),
            Self::Link(CloseReason::Lost(text)) => (LOST, text),
            Self::Link(CloseReason::Violation(text)) => (VIOLATION, text),
            Self::Duplicate => (DUPLICATE, ""),
            Self::Refused(text) => (REFUSED, text),
        }
    }

    fn from_parts(code: u64, said: &[u8]) -> Self {
        let text = text(said);
        match u32::try_from(code) {
            Ok(SHUTDOWN) => Self::Link(CloseReason::Shutdown),
            Ok(REPLACED) => Self::Link(CloseReason::Replaced),
            Ok(RESTARTED) => Self::Link(CloseReason::Restarted),
            Ok(FORGOTTEN) => Self::Link(CloseReason::Forgotten),
            Ok(IDLE) => Self::Link(CloseReason::Idle),
            Ok(VIOLATION) => Self::Link(CloseReason::Violation(text)),
            Ok(DUPLICATE) => Self::Duplicate,
            Ok(REFUSED) => Self::Refused(text),
            Ok(LOST) | Ok(_) | Err(_) => Self::Link(CloseReason::Lost(text)),
        }
    }

    /// Why an open link ended, in the peer's words.
    pub(crate) fn into_link_reason(self) -> CloseReason {
        match self {
            Self::Link(reason) => reason,
            Self::Duplicate => CloseReason::Replaced,
            Self::Refused(text) => CloseReason::Lost(text),
        }
    }

    /// What the peer's close says.
    fn read(close: &quinn::ApplicationClose) -> Self {
        Self::from_parts(close.error_code.into_inner(), &close.reason)
    }
}

/// Why an open link ended that this end did not close.
pub(crate) fn link_reason(error: &ConnectionError) -> CloseReason {
    match error {
        ConnectionError::TimedOut => CloseReason::Idle,
        ConnectionError::ApplicationClosed(close) => Close::read(close).into_link_reason(),
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::Reset
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => CloseReason::Lost(error.to_string()),
    }
}

/// Why a connection did not become a link; `None` when there is one already.
pub(crate) fn handshake_error(error: &ConnectionError) -> Option<TransportError> {
    /// `certificate_required` (RFC 8446 §6.2), as QUIC carries alerts (RFC 9001 §4.8).
    const CERTIFICATE_REQUIRED: u64 = 0x100 + 116;
    let error = match error {
        ConnectionError::ApplicationClosed(close) => match Close::read(close) {
            Close::Duplicate => return None,
            Close::Refused(text) => TransportError::RefusedByPeer(text),
            Close::Link(reason) => TransportError::RefusedByPeer(format!("{reason:?}")),
        },
        ConnectionError::ConnectionClosed(close) => {
            let reason = text(&close.reason);
            let said = if reason.is_empty() { close.error_code.to_string() } else { reason };
            TransportError::RefusedByPeer(said)
        }
        ConnectionError::TransportError(own) if u64::from(own.code) == CERTIFICATE_REQUIRED => {
            TransportError::NoCertificate
        }
        ConnectionError::TransportError(own) => TransportError::Handshake(own.to_string()),
        ConnectionError::TimedOut | ConnectionError::Reset => TransportError::Unreachable(error.to_string()),
        ConnectionError::VersionMismatch
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => TransportError::Handshake(error.to_string()),
    };
    Some(error)
}

/// What a peer wrote, made fit to be logged.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_MAX)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
