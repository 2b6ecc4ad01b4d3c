//! Whole nodes, unmodified, on one thread in virtual time: same seed, same run.
//!
//! The faults are data of `synod_protocols::sim`; here they strike real actors, links and logs. Links are those of the transport in
//! memory or QUIC's own ([`Medium`]).

mod clock;
mod network;
mod process;
mod simulation;
mod spawner;
pub mod study;
mod trace;
mod weather;

pub use network::Medium;
pub use simulation::{Outcome, Simulation, simulate, simulate_on};
pub use trace::{Roll, Trace};
pub use weather::Datagrams;
