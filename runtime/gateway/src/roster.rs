//! What stands in the bodies of `/members` and `/leader`, for those who write it and those who read it.

use serde::{Deserialize, Serialize};

/// The members by name, each in one list, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// Those who hold the data and vote.
    pub voters: Vec<String>,
    /// Those who vote and keep terms and positions only.
    #[serde(default)]
    pub witnesses: Vec<String>,
    /// Those who hold the data and have no vote.
    #[serde(default)]
    pub learners: Vec<String>,
    /// In a request: those among them who have lost their disk and shall be taken in with the one they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<String>,
}

/// A group's members as one node knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The log index from which they are the members.
    pub index: u64,
    /// The members in force, committed or not; while joint, those of the set to come.
    pub members: Roster,
    /// The voters of the set that is being left, which have to agree too; empty unless joint.
    pub leaving: Vec<String>,
    /// Where the group is on its way to, if it is.
    pub goal: Option<Roster>,
}

/// What a change has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersChanged {
    /// The log index from which the members are those that were asked for.
    pub index: u64,
}

/// What a transfer of leadership has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leads {
    /// Who leads.
    pub leader: String,
}
