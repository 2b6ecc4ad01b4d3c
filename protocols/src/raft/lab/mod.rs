//! Published experiments on elections, repeated with this very machine: split votes (Ongaro's dissertation, §9), the time to replace a
//! leader (Raft, Fig. 16), partial connectivity (Ng, Haridi and Carbone, EuroSys 2023, §2).
//!
//! Measures and judges nothing else: a [`Stage`] plays machines on virtual time, the files beside it set a scene and count.

mod partition;
mod replacement;
mod split_vote;
mod stage;

#[cfg(test)]
mod tests;

pub use partition::{Outcome, Partition, play_partition};
pub use replacement::{Replacement, replace_leader};
pub use split_vote::{SplitVote, TIMEOUT, Vote, closed_form, mean_election_time, play_vote};
pub use stage::{Latency, Rules, Stage};
