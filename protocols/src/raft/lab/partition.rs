//! Partial connectivity: links that fail so that some nodes hear each other and others do not (Ng, Haridi and Carbone, "Omni-Paxos",
//! EuroSys 2023, §2), and a leader that is alone.

use std::time::Duration;

use crate::raft::Config;
use crate::raft::lab::stage::{Latency, Rules, Stage};
use crate::types::NodeId;

/// Which links fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// Of five, only one is connected to all others, and those to it alone; another one led.
    QuorumLoss,
    /// The same, but the leader is alone, and the one in the middle lacks what was committed last.
    Constrained,
    /// Three in a row: the leader at one end, and the other end does not hear it.
    Chained,
    /// The leader of three is alone.
    Isolated,
}

/// What became of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// From the failure until something that was proposed after it is committed; `None` when nothing was until the end.
    pub down: Option<Duration>,
    /// The longest time in which nothing was committed.
    pub longest: Duration,
    /// How many terms came after it.
    pub terms: u64,
}

impl Partition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::QuorumLoss, Self::Constrained, Self::Chained, Self::Isolated];

    /// The name in the paper.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuorumLoss => "quorum loss",
            Self::Constrained => "constrained election",
            Self::Chained => "chained",
            Self::Isolated => "leader isolated",
        }
    }

    const fn nodes(self) -> u64 {
        match self {
            Self::QuorumLoss | Self::Constrained => 5,
            Self::Chained | Self::Isolated => 3,
        }
    }

    /// Lets the links fail. Node 2 leads.
    fn strike(self, stage: &mut Stage) {
        match self {
            Self::QuorumLoss => spare_middle(stage),
            Self::Constrained => {
                stage.cut(1, 2);
                stage.propose();
                // What the middle lacks has to be committed by the others before the rest fails.
                let before = stage.commit();
                while stage.commit() <= before {
                    stage.step();
                }
                spare_middle(stage);
            }
            Self::Chained => stage.cut(2, 3),
            Self::Isolated => {
                stage.cut(2, 1);
                stage.cut(2, 3);
            }
        }
    }
}

/// Of five, only the links of node 1 are left.
fn spare_middle(stage: &mut Stage) {
    for one in 2..=5 {
        for other in one + 1..=5 {
            stage.cut(one, other);
        }
    }
}

/// Lets the links fail and stay so for `timeouts` election timeouts, with a client that proposes to whoever leads.
#[must_use]
pub fn play_partition(
    partition: Partition,
    seed: u64,
    timeout: Duration,
    rules: Rules,
    latency: Latency,
    timeouts: u32,
) -> Outcome {
    let mut stage = Stage::led_by(partition.nodes(), 2, seed, |config| {
        let config = rules.put_into(config);
        Config { election_timeout: timeout, heartbeat_interval: timeout / 5, ..config }
    });
    debug_assert_eq!(stage.leader(), Some(NodeId(2)), "the scenes begin with this leader");
    stage.begin(seed, latency, Duration::ZERO);
    partition.strike(&mut stage);
    let (begun, commit, term) = (stage.now(), stage.commit(), stage.term());
    let (end, beat) = (begun.after(timeout * timeouts), timeout / 20);
    let mut down = None;
    let (mut ask, mut last, mut longest) = (begun, (begun, commit), Duration::ZERO);
    while stage.now() < end {
        if stage.next_time() >= ask {
            stage.propose();
            ask = ask.after(beat);
        }
        stage.step();
        if stage.commit() > last.1 {
            down = down.or(Some(stage.now().since(begun)));
            longest = longest.max(stage.now().since(last.0));
            last = (stage.now(), stage.commit());
        }
    }
    longest = longest.max(stage.now().since(last.0));
    Outcome { down, longest, terms: stage.term() - term }
}
