//! The transport over QUIC (RFC 9000) with mutual TLS 1.3: quinn and rustls, configured by us.
//!
//! Each direction of a lane is one unidirectional stream, opened once, that begins with the lane's number; a bulk stream begins
//! with 0x10, a last word with 0x11. A link begins with the exchange in `hello`. Rooms: `tls`, `verify` and `settings` make the
//! configurations; `dial` and `handshake` lead to a link; `connection` and `lane_io` run it; `table` knows them all; `footing` is
//! what it all stands on.

mod bulk;
mod close;
mod connection;
mod dial;
mod endpoint;
mod footing;
mod goodbye;
mod handshake;
mod hello;
mod hub;
mod lane_io;
mod link;
mod settings;
mod table;
mod tls;
mod verify;

pub(crate) use endpoint::Parts;
pub use endpoint::QuicTransport;
pub(crate) use footing::{Footing, Tasks, World};
pub use verify::acceptable;
