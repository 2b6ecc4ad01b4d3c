//! A state machine replicated with Raft, behind a handle that any node may hold, and one for clients.
//!
//! [`Replicated`] encodes a command once, finds the leader, retries what is safe to retry, and says of every failure whether the
//! command may have taken effect. Sessions (Raft dissertation §6.3) make retries take effect once; they are part of the
//! replicated state. Reads are confirmed by the leader (§6.4).

mod backup;
mod caller;
mod change;
mod door;
mod error;
mod forward;
mod guess;
mod handle;
mod host;
mod lanes;
mod lobby;
mod names;
mod no_successor;
mod payload;
mod proof;
mod remote;
mod replica;
mod search;
mod shared;
mod standing;
#[cfg(test)]
mod tests;
mod unfit;
mod watched;

pub use backup::Backup;
pub use change::Change;
pub(crate) use door::Ways;
pub use door::{Doors, ReplicaApi};
pub use error::{ReplicaCause, ReplicaError};
pub use forward::{Ask, Execute, Executed, Forward, Queried};
pub use handle::{DEADLINE, Replicated, Start};
pub(crate) use host::ReplicaHost;
pub use lobby::{Audience, Lobby};
pub use names::Names;
pub use no_successor::NoSuccessor;
#[cfg(test)]
pub(crate) use payload::pack;
pub use proof::Proof;
pub use remote::Remote;
pub use replica::Replica;
pub(crate) use shared::Shared;
pub use unfit::Unfit;
