//! The transport over QUIC (RFC 9000) with mutual TLS 1.3: quinn and rustls, configured by us.
//!
//! Each direction of a lane is one unidirectional stream of each connection, opened once, that begins with the lane's number; a bulk
//! stream begins with 0x10, a last word with 0x11, the stream of acknowledgements with 0x12. A connection begins with the exchange in
//! `hello`, then the two ends settle which session it carries. Rooms: `tls`, `verify` and `settings` make the configurations; `dial`
//! and `handshake` lead to a connection; `agreement`, `connection` and `lane_io` run it; `table` knows them all; `footing` is
//! what it all stands on.

mod agreement;
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
mod local_runtime;
mod renewal;
mod settings;
mod table;
mod tls;
mod verify;

pub(crate) use endpoint::Parts;
pub use endpoint::QuicTransport;
pub(crate) use footing::{Footing, Tasks, World};
pub(crate) use hello::Hello;
pub(crate) use local_runtime::LocalRuntime;
pub use verify::acceptable;
