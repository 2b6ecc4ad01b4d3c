//! What the samples share: how they are started, the ground their nodes stand on, and a protocol to bring along.

mod ground;
pub mod register;
mod stage;

pub use ground::Ground;
pub use stage::{Stage, perform};
