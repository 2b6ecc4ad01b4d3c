//! A study of whole nodes: a replicated map under faults, its clients, and the judgement of what they were told.
//!
//! Everything between a client's call and the disk is the real thing; only the world around it is simulated. What is judged: what
//! was acknowledged is on every node in the end, what was refused is on none, reads are never older than what was acknowledged
//! before they began, and all nodes end equal.

mod clients;
mod cluster;
mod faults;
mod judge;
mod ledger;
mod options;
mod run;

pub use options::Options;
pub use run::{Studied, study};
