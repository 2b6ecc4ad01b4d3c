//! All of Raft's invariants as one.
//!
//! A step that breaks several is named by the first of them here: the cause before its consequences.

use crate::raft::Raft;
use crate::raft::invariants::acknowledged_survives::AcknowledgedSurvives;
use crate::raft::invariants::answered_once::AnsweredOnce;
use crate::raft::invariants::bounds::Bounds;
use crate::raft::invariants::caught_up::CaughtUp;
use crate::raft::invariants::configuration_in_log::ConfigurationInLog;
use crate::raft::invariants::durable_ballot::DurableBallot;
use crate::raft::invariants::durable_election::DurableElection;
use crate::raft::invariants::durable_quorum::DurableQuorum;
use crate::raft::invariants::election_safety::ElectionSafety;
use crate::raft::invariants::leader_completeness::LeaderCompleteness;
use crate::raft::invariants::log_matching::LogMatching;
use crate::raft::invariants::matched_is_durable::MatchedIsDurable;
use crate::raft::invariants::monotone::Monotone;
use crate::raft::invariants::one_change::OneChange;
use crate::raft::invariants::snapshot_configuration::SnapshotConfiguration;
use crate::raft::invariants::state_machine_safety::StateMachineSafety;
use crate::sim::{Invariant, Scene, Violation};

/// Every invariant of Raft, with the memory of one run.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    monotone: Monotone,
    bounds: Bounds,
    durable_ballot: DurableBallot,
    durable_election: DurableElection,
    election_safety: ElectionSafety,
    one_change: OneChange,
    configuration_in_log: ConfigurationInLog,
    snapshot_configuration: SnapshotConfiguration,
    caught_up: CaughtUp,
    log_matching: LogMatching,
    leader_completeness: LeaderCompleteness,
    matched_is_durable: MatchedIsDurable,
    durable_quorum: DurableQuorum,
    state_machine_safety: StateMachineSafety,
    answered_once: AnsweredOnce,
    acknowledged_survives: AcknowledgedSurvives,
}

impl Suite {
    fn each<A>(&mut self) -> [&mut dyn Invariant<Raft, A>; 16] {
        [
            &mut self.monotone,
            &mut self.bounds,
            &mut self.durable_ballot,
            &mut self.durable_election,
            &mut self.election_safety,
            &mut self.one_change,
            &mut self.configuration_in_log,
            &mut self.snapshot_configuration,
            &mut self.caught_up,
            &mut self.log_matching,
            &mut self.leader_completeness,
            &mut self.matched_is_durable,
            &mut self.durable_quorum,
            &mut self.state_machine_safety,
            &mut self.answered_once,
            &mut self.acknowledged_survives,
        ]
    }
}

impl<A> Invariant<Raft, A> for Suite {
    fn check(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.each().into_iter().try_for_each(|invariant| invariant.check(scene))
    }

    fn finish(&mut self, scene: &Scene<'_, Raft, A>) -> Result<(), Violation> {
        self.each().into_iter().try_for_each(|invariant| invariant.finish(scene))
    }
}
