//! Whole nodes, unmodified, on one thread in virtual time: same seed, same run.
//!
//! The faults are data of `synod_protocols::sim`; here they strike real actors, links and logs.

mod clock;
mod network;
mod process;
mod simulation;
mod spawner;
pub mod study;
mod trace;

pub use simulation::{Outcome, Simulation, simulate};
pub use trace::Trace;
