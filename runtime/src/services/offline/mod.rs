//! Replicated state without a group: what a stopped node holds of it, and how the disks of a new group come to hold it.
//!
//! Decides nothing about directories and processes; whoever calls sees to it that nobody runs.

mod fault;
mod rest;
mod restore;
#[cfg(test)]
mod tests;

pub use fault::OfflineFault;
pub use rest::{AtRest, state_at_rest};
pub use restore::restore;
