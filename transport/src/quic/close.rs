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

impl Close {
    /// Closes the connection with this reason.
    pub(crate) fn apply(&self, connection: &quinn::Connection) {
        let (code, text) = match self {
            Self::Link(CloseReason::Shutdown) => (SHUTDOWN, ""),
            Self::Link(CloseReason::Replaced) => (REPLACED, ""),
            Self::Link(CloseReason::Restarted) => (RESTARTED, ""),
            Self::Link(CloseReason::Forgotten) => (FORGOTTEN, ""),
            Self::Link(CloseReason::Idle) => (IDLE, ""),
            Self::Link(CloseReason::Lost(text)) => (LOST, text.as_str()),
            Self::Link(CloseReason::Violation(text)) => (VIOLATION, text.as_str()),
            Self::Duplicate => (DUPLICATE, ""),
            Self::Refused(text) => (REFUSED, text.as_str()),
        };
        let bytes = text.as_bytes();
        connection.close(VarInt::from_u32(code), &bytes[..bytes.len().min(TEXT_MAX)]);
    }

    /// What the peer's close says.
    fn read(close: &quinn::ApplicationClose) -> Self {
        let text = text(&close.reason);
        match u32::try_from(close.error_code.into_inner()) {
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
}

/// Why an open link ended that this end did not close.
pub(crate) fn link_reason(error: &ConnectionError) -> CloseReason {
    match error {
        ConnectionError::TimedOut => CloseReason::Idle,
        ConnectionError::ApplicationClosed(close) => match Close::read(close) {
            Close::Link(reason) => reason,
            Close::Duplicate => CloseReason::Replaced,
            Close::Refused(text) => CloseReason::Lost(text),
        },
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
