//! Who takes part in a group, with which duty and on which disk: a configuration as a value, joint or not (Raft §6).
//!
//! Not how a configuration comes into force, which is in `configurations.rs`, nor how one leads to another, which is in
//! `reconfiguration.rs`.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::quorum::Joint;
use crate::roll::Roll;
use crate::types::{NodeId, StoreId};

/// What a member does for its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Duty {
    /// Holds the data, votes, and may lead.
    Voter,
    /// Votes and acknowledges, but keeps terms and positions only; never leads.
    Witness,
    /// Holds the data and has no voice.
    Learner,
    /// Keeps terms and positions only and has no voice: a witness to be, until it is heard and has caught up. The group gives this
    /// duty on the way to [`Duty::Witness`]; nobody can ask for it.
    JoiningWitness,
}

impl Duty {
    /// Whether whoever has it holds the data, and not positions only.
    #[must_use]
    pub const fn holds_data(self) -> bool {
        matches!(self, Self::Voter | Self::Learner)
    }

    /// Whether it gives a voice.
    #[must_use]
    pub const fn votes(self) -> bool {
        matches!(self, Self::Voter | Self::Witness)
    }
}

/// One member of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it does.
    pub duty: Duty,
    /// The disk whose word counts; `None` until the leader has learned it, and then any disk's does.
    pub store: Option<StoreId>,
}

/// From which disk a message comes, and what that disk keeps. A member's word counts only from the disk that the configuration
/// names, so that nobody who has lost what it promised helps to form a quorum (RT-23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Voice {
    /// The sender's disk.
    pub store: StoreId,
    /// Whether the sender keeps positions only.
    pub witness: bool,
    /// Whether the disk replaces one that was lost, as far as the sender knows: what was promised from that one is forgotten.
    pub renewed: bool,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub(super) members: Roll<NodeId, Member>,
    pub(super) outgoing: Option<Roll<NodeId, Member>>,
    pub(super) goal: Option<Roll<NodeId, Member>>,
    quorum: Joint,
}

/// Why a set of members cannot be a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MembersError {
    /// Nobody could lead.
    #[error("a group needs a voter that holds the data")]
    NoVoter,
    /// A quorum of witnesses alone could lose what was acknowledged.
    #[error("{witnesses} witnesses among {voters} voters could decide without anybody who holds the data")]
    TooManyWitnesses {
        /// How many witnesses there would be.
        witnesses: usize,
        /// How many voters, witnesses included.
        voters: usize,
    },
    /// What a disk holds does not change with a word: a witness has no data, and who has data keeps it.
    #[error(
        "node {0} cannot change between witness and holder of data: remove it first, then add it with an empty disk"
    )]
    FixedByDisk(NodeId),
    /// A duty that the group gives on the way to another one.
    #[error("node {0} cannot be asked to stay a joining witness: ask for a witness")]
    OnlyOnTheWay(NodeId),
    /// A node whose disk is to be replaced is no member, or has not spoken from another disk.
    #[error("node {0} has no other disk that is known")]
    NothingToReplace(NodeId),
}

impl Membership {
    /// A configuration that is not joint and leads nowhere else.
    #[must_use]
    pub fn new(members: Roll<NodeId, Member>) -> Self {
        Self::of(members, None, None)
    }

    /// The configuration of a group that starts: voters, some of them witnesses, on disks nobody knows.
    #[must_use]
    pub fn founding(voters: &BTreeSet<NodeId>, witnesses: &BTreeSet<NodeId>) -> Self {
        let duty = |node| if witnesses.contains(node) { Duty::Witness } else { Duty::Voter };
        Self::new(voters.iter().map(|node| (*node, Member { duty: duty(node), store: None })).collect())
    }

    /// A configuration from its parts.
    pub(super) fn of(
        members: Roll<NodeId, Member>,
        outgoing: Option<Roll<NodeId, Member>>,
        goal: Option<Roll<NodeId, Member>>,
    ) -> Self {
        let quorum = Joint::new(voting(&members), outgoing.as_ref().map(voting));
        Self { members, outgoing, goal, quorum }
    }

    /// The members, learners included; while joint, those of the incoming set.
    #[must_use]
    pub fn members(&self) -> &Roll<NodeId, Member> {
        &self.members
    }

    /// The voters of the set that is being left, while joint.
    #[must_use]
    pub fn outgoing(&self) -> Option<&Roll<NodeId, Member>> {
        self.outgoing.as_ref()
    }

    /// The members the group is on its way to, if it is on its way.
    #[must_use]
    pub fn goal(&self) -> Option<&Roll<NodeId, Member>> {
        self.goal.as_ref()
    }

    /// Whether two sets of voters both have to agree.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        self.outgoing.is_some()
    }

    /// The rule by which it decides.
    #[must_use]
    pub fn quorum(&self) -> &Joint {
        &self.quorum
    }

    /// Those whose votes and acknowledgements count, of both sets while joint.
    #[must_use]
    pub fn voters(&self) -> BTreeSet<NodeId> {
        self.quorum.voters()
    }

    /// What is known of a node: as a member, or as one that is being left.
    #[must_use]
    pub fn member(&self, node: NodeId) -> Option<Member> {
        self.members.get(&node).or_else(|| self.outgoing.as_ref()?.get(&node)).copied()
    }

    /// Whether a node has a voice in either set.
    #[must_use]
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.quorum.contains(node)
    }

    /// Whether this is the word of the member `node`: from its disk, and by what its duty keeps.
    #[must_use]
    pub fn recognises(&self, node: NodeId, voice: Voice) -> bool {
        self.member(node).is_some_and(|member| member.recognises(voice))
    }

    /// Every node that is replicated to: the members, and whoever is being left.
    pub(super) fn everyone(&self) -> Roll<NodeId, Member> {
        let mut all = self.outgoing.clone().unwrap_or_default();
        all.extend(self.members.iter().map(|(&node, &member)| (node, member)));
        all
    }
}

impl fmt::Display for Membership {
    /// The members; while joint, `outgoing -> members`; where it goes, `members => goal`. Witnesses bear a `w`, learners an `l`,
    /// joining witnesses both, those whose disk is not known a `?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outgoing) = &self.outgoing {
            write!(f, "{} -> ", told(outgoing))?;
        }
        write!(f, "{}", told(&self.members))?;
        self.goal.as_ref().map_or(Ok(()), |goal| write!(f, " => {}", told(goal)))
    }
}

fn told(members: &Roll<NodeId, Member>) -> String {
    let one = |(node, member): (&NodeId, &Member)| {
        let duty = match member.duty {
            Duty::Voter => "",
            Duty::Witness => "w",
            Duty::Learner => "l",
            Duty::JoiningWitness => "lw",
        };
        let store = if member.store.is_none() { "?" } else { "" };
        format!("{node}{duty}{store}")
    };
    format!("({})", members.iter().map(one).collect::<Vec<_>>().join(" "))
}

impl Member {
    /// A member whose disk is not known.
    #[must_use]
    pub const fn new(duty: Duty) -> Self {
        Self { duty, store: None }
    }

    /// Whether this is the member's word. Where no disk is named any will do, but for a voter not one in the place of another:
    /// the voter may have given a vote that this disk does not know of.
    #[must_use]
    pub fn recognises(&self, voice: Voice) -> bool {
        let named = self.store.map_or(!(voice.renewed && self.votes()), |store| store == voice.store);
        named && self.duty.holds_data() != voice.witness
    }

    /// Whether it has a voice.
    #[must_use]
    pub const fn votes(&self) -> bool {
        self.duty.votes()
    }
}

/// Checks that a set of members can be a group.
pub(super) fn check(members: &Roll<NodeId, Member>) -> Result<(), MembersError> {
    let count = |duty| members.values().filter(|member| member.duty == duty).count();
    let (data, witnesses) = (count(Duty::Voter), count(Duty::Witness));
    let voters = data + witnesses;
    if data == 0 {
        return Err(MembersError::NoVoter);
    }
    if witnesses > voters / 2 {
        return Err(MembersError::TooManyWitnesses { witnesses, voters });
    }
    Ok(())
}

/// The nodes among `members` that have a voice.
pub(super) fn voting(members: &Roll<NodeId, Member>) -> BTreeSet<NodeId> {
    members.iter().filter(|(_, member)| member.votes()).map(|(&node, _)| node).collect()
}
