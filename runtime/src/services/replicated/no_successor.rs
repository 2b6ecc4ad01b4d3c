//! Why leadership was not handed to whom it was asked for, in words for whoever knows nodes by number or by name.
//!
//! Not the rules, which are the machine's.

use std::fmt;

use serde::{Deserialize, Serialize};
use synod_macros::Wire;
use synod_protocols::NodeId;
use synod_protocols::raft::SuccessorError;

/// Why nobody, or not the one who was named, can succeed the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub enum NoSuccessor {
    /// The node is no member of the group.
    Stranger(NodeId),
    /// The node has no vote.
    Learner(NodeId),
    /// The node holds no data.
    Witness(NodeId),
    /// Nobody but the leader could lead.
    Nobody,
    /// A name that the node asked does not know.
    Unknown {
        /// The name.
        name: String,
        /// The node asked.
        asked: String,
    },
}

impl NoSuccessor {
    /// The reason in one sentence, in which nodes are called as `name` says.
    #[must_use]
    pub fn told(&self, name: impl Fn(NodeId) -> String) -> String {
        match self {
            Self::Stranger(node) => format!("{} is no member of the group", name(*node)),
            Self::Learner(node) => format!("{} is a learner: only a voter can lead", name(*node)),
            Self::Witness(node) => {
                format!("{} is a witness: only a voter that holds the data can lead", name(*node))
            }
            Self::Nobody => SuccessorError::Nobody.to_string(),
            Self::Unknown { name, asked } => format!("{name} is neither {asked} nor one of its peers"),
        }
    }
}

impl fmt::Display for NoSuccessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(|node| format!("node {node}")))
    }
}

impl From<SuccessorError> for NoSuccessor {
    fn from(error: SuccessorError) -> Self {
        match error {
            SuccessorError::Stranger(node) => Self::Stranger(node),
            SuccessorError::Learner(node) => Self::Learner(node),
            SuccessorError::Witness(node) => Self::Witness(node),
            SuccessorError::Nobody => Self::Nobody,
        }
    }
}
