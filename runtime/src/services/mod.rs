//! Services composed of protocols: thin typed handles over machines that a driver hosts.

pub mod kv;
pub mod offline;
pub mod replicated;
mod state_machine;

pub use crate::driver::Frozen;
pub use state_machine::{Applied, StateMachine, decode_command};
pub use synod_protocols::Outcome;
pub use synod_protocols::raft::{Duty, Member, Membership, Role, Status};
