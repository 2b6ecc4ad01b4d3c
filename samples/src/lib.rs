//! What the samples share: how they are started, the ground their nodes stand on, a state machine and a protocol to bring along, and a
//! process of a cluster that is upgraded while it works.

pub mod counter;
mod ground;
pub mod register;
pub mod rolling;
mod stage;

pub use ground::Ground;
pub use stage::{Stage, perform};
