//! Distributed protocols as values without I/O, and the simulator that drives them.
//!
//! Nothing here reads a clock, opens a socket or a file, starts a thread or draws chance of its own: a machine gets inputs
//! and answers with effects ([`Protocol`]). Who carries the effects out is the simulator in `sim` or the driver of the
//! crate `synod`. A column (`raft`, …) never imports another column; what two of them share is a word of its own below.

pub mod delivery;
pub mod liveness;
pub mod log;
pub mod prng;
pub mod protocol;
pub mod quorum;
pub mod raft;
pub mod roll;
pub mod session;
pub mod sim;
pub mod timer;
pub mod types;

pub use protocol::{Effect, Input, Outbox, Place, Placed, Protocol, Records, Recovered};
pub use types::{
    ClientId, Incarnation, LogIndex, LogTime, NodeId, Outcome, RequestId, SessionId, StoreId, Term,
    Timestamp, Token, WriteId,
};
