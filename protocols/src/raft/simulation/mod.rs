//! Raft groups under simulation: a seed draws the circumstances, clients append and read, invariants look at every step.
//!
//! [`run`] is one seed from first start to rest. The world, its faults and the schedule are `sim`'s; the invariants are in
//! `invariants`; here is what only Raft knows: its settings, its clients, and when a run has come to a good end.

mod client;
mod exactly_once;
mod habits;
mod intact;
mod operator;
mod options;
mod rare_paths;
mod reduction;
mod run;
mod settings;
mod shrink;
mod subject;
mod workload;

pub use client::{Action, Seen};
pub use options::Options;
pub use rare_paths::RARE_PATHS;
pub use reduction::{Quiet, Reduction, ReductionError};
pub use run::{Failure, Outcome, run};
pub use shrink::{Shrunk, shrink};
