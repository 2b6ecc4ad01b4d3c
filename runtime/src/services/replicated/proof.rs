//! By what a read that misses nothing is to be shown up to date: a choice that its caller has.
//!
//! Not how it is shown, which is the machine's business.

use serde::{Deserialize, Serialize};
use synod_macros::Wire;
use synod_protocols::raft::Command;

/// What shows that whoever answers a linearizable read still leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub enum Proof {
    /// A lease where there is one, which needs `raft.lease_reads`; otherwise a round. Right as long as clocks keep to what is assumed.
    #[default]
    Either,
    /// A round of messages that a majority answers: right whatever clocks do.
    Round,
}

impl Proof {
    pub(crate) fn command(self) -> Command {
        match self {
            Self::Either => Command::Read,
            Self::Round => Command::ReadConfirmed,
        }
    }
}
