//! What the samples share: how they are started, and the ground their nodes stand on.

mod ground;
mod stage;

pub use ground::Ground;
pub use stage::{Stage, perform};
