//! Services composed of protocols: thin typed handles over machines that a driver hosts.

pub mod kv;

pub use synod_protocols::Outcome;
pub use synod_protocols::raft::{Role, Status};
