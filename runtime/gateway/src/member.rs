//! A member of a cluster as HTTP shows it: its map, its place in the group, its links.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use synod::address::node_id;
use synod::protocols::roll::Roll;
use synod::protocols::{LogIndex, NodeId};
use synod::services;
use synod::services::Duty;
use synod::services::kv::{Kv, KvError};
use synod::services::replicated::{Change, NoSuccessor, ReplicaCause, ReplicaError, Unfit};
use synod::telemetry::Metrics;
use synod::transport::{PeerName, Transport};
use tokio::time::Instant;

use crate::roster::{Members, Roster};
use crate::service::{Backup, Map, Service, Unchanged};
use crate::status::{Link, Role, Status};

/// A member of a cluster.
#[derive(Clone)]
pub struct Member {
    /// Its name.
    pub node: PeerName,
    /// Its cluster's name.
    pub cluster: String,
    /// The other members, and where clients reach their HTTP, where that is known.
    pub peers: BTreeMap<PeerName, Option<String>>,
    /// The map.
    pub kv: Kv,
    /// What it counts.
    pub metrics: Metrics,
    /// Its links.
    pub transport: Arc<dyn Transport>,
    /// Where its damaged logs are kept.
    pub set_aside: Vec<PathBuf>,
    /// When it started.
    pub started: Instant,
}

impl Member {
    /// How it stands, given how its replica stands.
    fn describe(&self, replica: &services::Status) -> Status {
        let names: BTreeMap<NodeId, &PeerName> =
            self.peers.keys().chain([&self.node]).map(|name| (node_id(name), name)).collect();
        let leader = replica.leader.and_then(|leader| names.get(&leader));
        Status {
            node: self.node.to_string(),
            cluster: self.cluster.clone(),
            pid: std::process::id(),
            role: role(replica),
            leader: leader.map(ToString::to_string),
            term: replica.term.0,
            commit_index: replica.commit.0,
            applied_index: replica.applied.0,
            members: sorted(replica.membership.members().keys().map(|&node| self.name_of(node))),
            set_aside: self.set_aside.iter().map(|aside| aside.display().to_string()).collect(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            links: self.peers.iter().map(|(peer, http)| self.link(peer, http.clone())).collect(),
        }
    }

    /// Who the members are, given how its replica stands.
    fn roll(&self, replica: &services::Status) -> Members {
        let membership = &replica.membership;
        let leaving = membership.outgoing().into_iter().flat_map(Roll::keys);
        Members {
            index: replica.membership_index.0,
            members: self.roster(membership.members()),
            leaving: sorted(leaving.map(|&node| self.name_of(node))),
            goal: membership.goal().map(|goal| self.roster(goal)),
        }
    }

    fn roster(&self, members: &Roll<NodeId, services::Member>) -> Roster {
        let with = |duties: &[Duty]| {
            let nodes = members.iter().filter(|(_, member)| duties.contains(&member.duty));
            sorted(nodes.map(|(&node, _)| self.name_of(node)))
        };
        let (voters, learners) = (with(&[Duty::Voter]), with(&[Duty::Learner]));
        // A witness on its way in is told as what it will be: the list, sent back as a change, undoes nothing.
        let witnesses = with(&[Duty::Witness, Duty::JoiningWitness]);
        Roster { voters, witnesses, learners, replace: Vec::new() }
    }

    fn name_of(&self, node: NodeId) -> String {
        let mut everybody = self.peers.keys().chain([&self.node]);
        everybody.find(|name| node_id(name) == node).map_or_else(|| node.to_string(), ToString::to_string)
    }

    /// The numbers of names, which have to be this node's or its peers'.
    fn change(&self, wanted: &Roster) -> Result<Change, ReplicaError> {
        let number = |name: &String| {
            let stranger = || Unfit::Stranger { name: name.clone(), asked: self.node.to_string() };
            self.number_of(name).ok_or_else(|| ReplicaError::not_executed(ReplicaCause::Members(stranger())))
        };
        let numbers = |names: &[String]| names.iter().map(number).collect::<Result<_, _>>();
        Ok(Change {
            voters: numbers(&wanted.voters)?,
            witnesses: numbers(&wanted.witnesses)?,
            learners: numbers(&wanted.learners)?,
            replace: numbers(&wanted.replace)?,
        })
    }

    fn number_of(&self, name: &str) -> Option<NodeId> {
        self.peers.keys().chain([&self.node]).find(|peer| peer.as_str() == name).map(node_id)
    }

    /// The number of who shall lead.
    fn successor(&self, name: String) -> Result<NodeId, ReplicaError> {
        let number = self.number_of(&name);
        let unknown = || NoSuccessor::Unknown { name, asked: self.node.to_string() };
        number.ok_or_else(|| ReplicaError::not_executed(ReplicaCause::Successor(unknown())))
    }

    fn link(&self, peer: &PeerName, http: Option<String>) -> Link {
        let link = self.transport.link(peer);
        let connected = link.as_ref().filter(|link| link.connection().is_some());
        let microseconds = |link: &Arc<dyn synod::transport::Link>| {
            u64::try_from(link.round_trip().as_micros()).unwrap_or(u64::MAX)
        };
        Link {
            peer: peer.to_string(),
            connected: connected.is_some(),
            round_trip_us: connected.map(microseconds),
            queued_bytes: link.as_ref().map_or(0, |link| link.queued() as u64),
            http,
        }
    }
}

impl Service for Member {
    fn map(&self) -> &dyn Map {
        &self.kv
    }

    fn status(&self) -> LocalBoxFuture<'static, Result<Status, String>> {
        let member = self.clone();
        async move {
            let replica = member.kv.status().await.map_err(|error| error.to_string())?;
            Ok(member.describe(&replica))
        }
        .boxed_local()
    }

    fn backup(&self, deadline: Duration) -> LocalBoxFuture<'static, Result<Backup, KvError>> {
        let (kv, cluster) = (self.kv.clone(), self.cluster.clone());
        async move {
            let backup = kv.backup(&cluster, deadline).await?;
            let (index, length) = (backup.index(), backup.length());
            let pieces = stream::try_unfold(backup, |mut backup| async move {
                let piece = backup.next().await.map_err(io::Error::other)?;
                Ok(piece.map(|piece| (piece, backup)))
            });
            Ok(Backup { index, length, pieces: pieces.boxed_local() })
        }
        .boxed_local()
    }

    fn members(&self) -> LocalBoxFuture<'static, Result<Members, String>> {
        let member = self.clone();
        async move {
            let replica = member.kv.status().await.map_err(|error| error.to_string())?;
            Ok(member.roll(&replica))
        }
        .boxed_local()
    }

    fn change_members(
        &self,
        wanted: Roster,
        deadline: Duration,
    ) -> LocalBoxFuture<'static, Result<LogIndex, Unchanged>> {
        let change = self.change(&wanted);
        let member = self.clone();
        async move {
            let change = match (change, member.kv.replicated()) {
                (Ok(change), Some(replicated)) => replicated.change_members(&change, deadline).await,
                (Err(error), _) => Err(error),
                (Ok(_), None) => Err(ReplicaError::not_executed(ReplicaCause::Stopped)),
            };
            change.map_err(|error| Unchanged::new(error, |node| member.name_of(node)))
        }
        .boxed_local()
    }

    fn transfer(
        &self,
        to: Option<String>,
        deadline: Duration,
    ) -> LocalBoxFuture<'static, Result<String, Unchanged>> {
        let to = to.map(|name| self.successor(name)).transpose();
        let member = self.clone();
        async move {
            let leader = match (to, member.kv.replicated()) {
                (Ok(to), Some(replicated)) => replicated.transfer(to, deadline).await,
                (Err(error), _) => Err(error),
                (Ok(_), None) => Err(ReplicaError::not_executed(ReplicaCause::Stopped)),
            };
            let leader = leader.map(|leader| member.name_of(leader));
            leader.map_err(|error| Unchanged::new(error, |node| member.name_of(node)))
        }
        .boxed_local()
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// The part a replica plays. Who is no member plays none, and one without a vote only learns, whatever it takes itself for.
fn role(replica: &services::Status) -> Role {
    let member = replica.membership.members().get(&replica.id);
    match replica.role {
        // Also while it leads the group to members among which it is not.
        services::Role::Leader => Role::Leader,
        _ if member.is_none() => Role::Outsider,
        _ if member.is_some_and(|member| !member.votes()) => Role::Learner,
        services::Role::Follower => Role::Follower,
        services::Role::PreCandidate | services::Role::Candidate => Role::Candidate,
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use synod::protocols::{LogIndex, Term};

    use super::*;

    fn replica(role: services::Role, voters: &[u64]) -> services::Status {
        let voters: BTreeSet<_> = voters.iter().copied().map(NodeId).collect();
        services::Status {
            membership_index: LogIndex(1),
            membership: services::Membership::founding(&voters, &BTreeSet::new()),
            id: NodeId(1),
            role,
            term: Term(2),
            leader: None,
            vote: None,
            commit: LogIndex(3),
            applied: LogIndex(3),
            last_index: LogIndex(3),
            first_index: LogIndex(1),
            snapshot_index: LogIndex::ZERO,
            durable_index: LogIndex(3),
            voters,
            match_index: BTreeMap::new(),
        }
    }

    #[test]
    fn who_has_no_vote_is_a_learner_and_who_is_no_member_an_outsider() {
        let mut learner = replica(services::Role::Follower, &[2, 3]);
        assert_eq!(role(&learner), Role::Outsider);
        let mut members = learner.membership.members().clone();
        members.insert(NodeId(1), services::Member::new(Duty::Learner));
        learner.membership = services::Membership::new(members);
        assert_eq!(role(&learner), Role::Learner);
        assert_eq!(
            role(&replica(services::Role::Leader, &[2, 3])),
            Role::Leader,
            "until the others are on their own"
        );
        assert_eq!(role(&replica(services::Role::Follower, &[1, 2, 3])), Role::Follower);
        assert_eq!(role(&replica(services::Role::PreCandidate, &[1, 2])), Role::Candidate);
        assert_eq!(role(&replica(services::Role::Leader, &[1])), Role::Leader);
    }

    #[test]
    fn a_refused_change_calls_nodes_by_their_names() {
        let told = |node: NodeId| format!("node-{}", node.0);
        let refused = |unfit| ReplicaError::not_executed(ReplicaCause::Members(unfit));
        let replaced = refused(Unfit::NothingToReplace(NodeId(2)));
        assert_eq!(replaced.to_string(), "node 2 has no other disk that is known");
        assert_eq!(Unchanged::new(replaced, told).to_string(), "node-2 has no other disk that is known");
        let fixed = Unchanged::new(refused(Unfit::FixedByDisk(NodeId(3))), told).to_string();
        assert!(fixed.starts_with("node-3 cannot change between witness and holder of data"), "{fixed}");
    }
}
