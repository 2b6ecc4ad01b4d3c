//! Everything outsiders speak to: the HTTP gateway of a synod node.
//!
//! Handlers are thin: they read a request, ask the node's [`Service`], and write the answer down. What may go wrong is one
//! enumeration, turned into a response in one place (`fault`). Routes, status codes and headers stand in `runtime/docs/http.md`.

mod access;
mod backup;
mod body;
mod config;
mod count;
mod fault;
mod gate;
mod health;
mod json;
mod key;
mod kv;
mod leader;
mod measures;
mod member;
mod members;
mod query;
mod readiness;
mod roster;
mod routes;
mod server;
mod service;
mod status;
mod stopping;
mod tls;
mod watch;

#[cfg(test)]
mod tests;

pub use config::{Config, ConfigError};
pub use json::{Item, WatchEnd, WatchEvent};
pub use member::Member;
pub use roster::{Leads, Members, MembersChanged, Roster};
pub use server::{Gateway, GatewayError};
pub use service::{Backup, Map, Service, Unchanged};
pub use status::{Link, Role, Status};
pub use tls::TlsError;
