//! Why a group cannot have the members that it was asked to have, in words for whoever knows nodes by number or by name.
//!
//! Not the rules, which are the machine's.

use std::fmt;

use serde::{Deserialize, Serialize};
use synod_macros::Wire;
use synod_protocols::NodeId;
use synod_protocols::raft::MembersError;

/// Why no group can be like that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub enum Unfit {
    /// Nobody could lead.
    NoVoter,
    /// Witnesses alone could decide.
    TooManyWitnesses {
        /// How many witnesses there would be.
        witnesses: usize,
        /// How many voters, witnesses included.
        voters: usize,
    },
    /// A witness has no data, and who has data keeps it.
    FixedByDisk(NodeId),
    /// A duty that the group gives on the way to another one.
    OnlyOnTheWay(NodeId),
    /// A node whose disk is to be replaced is no member, or has not spoken from another disk.
    NothingToReplace(NodeId),
    /// A node stands in two lists.
    ListedTwice(NodeId),
    /// A name that the node asked does not know.
    Stranger {
        /// The name.
        name: String,
        /// The node asked.
        asked: String,
    },
}

impl Unfit {
    /// The reason in one sentence, in which nodes are called as `name` says.
    #[must_use]
    pub fn told(&self, name: impl Fn(NodeId) -> String) -> String {
        match self {
            Self::NoVoter => MembersError::NoVoter.to_string(),
            &Self::TooManyWitnesses { witnesses, voters } => {
                MembersError::TooManyWitnesses { witnesses, voters }.to_string()
            }
            Self::FixedByDisk(node) => format!(
                "{} cannot change between witness and holder of data: remove it first, then add it with an empty disk",
                name(*node)
            ),
            Self::OnlyOnTheWay(node) => {
                format!("{} cannot be asked to stay a joining witness: ask for a witness", name(*node))
            }
            Self::NothingToReplace(node) => format!("{} has no other disk that is known", name(*node)),
            Self::ListedTwice(node) => format!("{} stands in two lists", name(*node)),
            Self::Stranger { name, asked } => format!("{name} is neither {asked} nor one of its peers"),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(|node| format!("node {node}")))
    }
}

impl From<MembersError> for Unfit {
    fn from(error: MembersError) -> Self {
        match error {
            MembersError::NoVoter => Self::NoVoter,
            MembersError::TooManyWitnesses { witnesses, voters } => {
                Self::TooManyWitnesses { witnesses, voters }
            }
            MembersError::FixedByDisk(node) => Self::FixedByDisk(node),
            MembersError::OnlyOnTheWay(node) => Self::OnlyOnTheWay(node),
            MembersError::NothingToReplace(node) => Self::NothingToReplace(node),
        }
    }
}
