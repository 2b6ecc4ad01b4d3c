//! What must hold of a Raft group after every step of a simulation, one invariant a file.
//!
//! The five properties of Raft's Figure 3, what a durable quorum means, and what clients were promised.

mod acknowledged_survives;
mod answered_once;
mod bounds;
mod caught_up;
mod commits;
mod configuration_in_log;
mod durable_ballot;
mod durable_election;
mod durable_quorum;
mod election_safety;
mod leader_completeness;
mod log_matching;
mod matched_is_durable;
mod monotone;
mod one_change;
mod snapshot_configuration;
mod state_machine_safety;
mod suite;
mod vitals;

pub use acknowledged_survives::AcknowledgedSurvives;
pub use answered_once::AnsweredOnce;
pub use bounds::Bounds;
pub use caught_up::CaughtUp;
pub use configuration_in_log::ConfigurationInLog;
pub use durable_ballot::DurableBallot;
pub use durable_election::DurableElection;
pub use durable_quorum::DurableQuorum;
pub use election_safety::ElectionSafety;
pub use leader_completeness::LeaderCompleteness;
pub use log_matching::LogMatching;
pub use matched_is_durable::MatchedIsDurable;
pub use monotone::Monotone;
pub use one_change::OneChange;
pub use snapshot_configuration::SnapshotConfiguration;
pub use state_machine_safety::StateMachineSafety;
pub use suite::Suite;
