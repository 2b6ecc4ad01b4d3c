//! The gateway over a map in memory: every route, status and header; and once over a socket.

mod http;
mod memory;
mod socket;
mod tls;
