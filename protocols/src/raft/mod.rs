//! Raft: a replicated log with one leader (Ongaro and Ousterhout, USENIX ATC 2014; Ongaro's dissertation, 2014).
//!
//! A follower that hears no leader asks whether it could win (pre-vote), makes its vote for itself durable and asks for votes.
//! Who gets a quorum leads for one term: it appends an entry of its own, replicates, and commits what a quorum holds durably,
//! counting only entries of its own term (§5.4.2). A leader that hears from no quorum steps down. Reads are confirmed by
//! a round of heartbeats. Old entries give way to snapshots.
//!
//! What is proposed between two drains of the driver's feed goes out together: a proposal only marks the machine, and the
//! timer `Flush`, due at once, writes and sends it.

mod ambition;
mod apply;
mod catch_up;
mod command;
mod config;
mod configurations;
mod dismissal;
mod election;
mod encoding;
mod feeder;
mod fingerprint;
mod follower;
mod hibernation;
pub mod invariants;
pub mod lab;
mod leadership;
mod lease;
mod lending;
mod machine;
mod members;
mod membership;
mod message;
mod priority;
mod progress;
mod promises;
mod reach;
mod read;
mod reconfiguration;
mod record;
mod recovery;
mod replication;
mod reserve;
mod rest;
mod restoration;
mod rounds;
pub mod scenario;
pub mod simulation;
mod snapshot;
mod state;
mod status;
mod successor;
mod transfer;
mod votes;
mod waiting;
mod witness;

#[cfg(test)]
mod tests;

pub use command::{Command, Refusal, Reply};
pub use config::{Config, ConfigError};
pub use fingerprint::{Alarm, Naming};
pub use membership::{Duty, Member, MembersError, Membership, Voice};
pub use message::{AppendResult, Epoch, Message};
pub use record::Record;
pub use restoration::Restoration;
pub use state::Raft;
pub use status::{Event, Rejection, Role, Status};
pub use successor::SuccessorError;
