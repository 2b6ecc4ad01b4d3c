//! A member of a cluster as HTTP shows it: its map, its place in the group, its links.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use synod::address::node_id;
use synod::protocols::{LogIndex, NodeId};
use synod::services;
use synod::services::Duty;
use synod::services::kv::{Kv, KvError};
use synod::services::replicated::{Change, ReplicaCause, ReplicaError};
use synod::telemetry::Metrics;
use synod::transport::{PeerName, Transport};
use tokio::time::Instant;

use crate::roster::{Members, Roster};
use crate::service::{Backup, Map, Service};
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
    /// When it started.
    pub started: Instant,
}

impl Member {
    /// How it stands, given how its replica stands.
    fn describe(&self, replica: &services::Status) -> Status {
        let names: BTreeMap<NodeId, &PeerName> =
            self.peers.keys().chain([&self.node]).map(|name| (node_id(name), name)).collect();
        let leader = replica.leader.and_then(|leader| names.get(&leader));
        let mut members: Vec<String> = names.values().map(ToString::to_string).collect();
        members.sort_unstable();
        Status {
            node: self.node.to_string(),
            cluster: self.cluster.clone(),
            pid: std::process::id(),
            role: role(replica),
            leader: leader.map(ToString::to_string),
            term: replica.term.0,
            commit_index: replica.commit.0,
            applied_index: replica.applied.0,
            members,
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            links: self.peers.iter().map(|(peer, http)| self.link(peer, http.clone())).collect(),
        }
    }

    /// Who the members are, given how its replica stands.
    fn roll(&self, replica: &services::Status) -> Members {
        let membership = &replica.membership;
        let leaving = membership.outgoing().into_iter().flat_map(BTreeMap::keys);
        Members {
            index: replica.membership_index.0,
            members: self.roster(membership.members()),
            leaving: sorted(leaving.map(|&node| self.name_of(node))),
            goal: membership.goal().map(|goal| self.roster(goal)),
        }
    }

    fn roster(&self, members: &BTreeMap<NodeId, services::Member>) -> Roster {
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
            let known = self.peers.keys().chain([&self.node]).find(|peer| peer.as_str() == name);
            let unknown = || format!("{name} is neither {} nor one of its peers", self.node);
            known.map(node_id).ok_or_else(|| ReplicaError::not_executed(ReplicaCause::Members(unknown())))
        };
        let numbers = |names: &[String]| names.iter().map(number).collect::<Result<_, _>>();
        Ok(Change {
            voters: numbers(&wanted.voters)?,
            witnesses: numbers(&wanted.witnesses)?,
            learners: numbers(&wanted.learners)?,
            replace: numbers(&wanted.replace)?,
        })
    }

    fn link(&self, peer: &PeerName, http: Option<String>) -> Link {
        let link = self.transport.link(peer);
        let microseconds = |link: &Arc<dyn synod::transport::Link>| {
            u64::try_from(link.round_trip().as_micros()).unwrap_or(u64::MAX)
        };
        Link {
            peer: peer.to_string(),
            connected: link.is_some(),
            round_trip_us: link.as_ref().map(microseconds),
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
    ) -> LocalBoxFuture<'static, Result<LogIndex, ReplicaError>> {
        let change = self.change(&wanted);
        let replicated = self.kv.replicated().cloned();
        async move {
            let stopped = ReplicaError::not_executed(ReplicaCause::Stopped);
            replicated.ok_or(stopped)?.change_members(&change?, deadline).await
        }
        .boxed_local()
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// The part a replica plays. One that has no vote only learns, whatever it takes itself for.
fn role(replica: &services::Status) -> Role {
    if !replica.voters.contains(&replica.id) {
        return Role::Learner;
    }
    match replica.role {
        services::Role::Leader => Role::Leader,
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
    fn who_has_no_vote_is_a_learner() {
        assert_eq!(role(&replica(services::Role::Follower, &[2, 3])), Role::Learner);
        assert_eq!(role(&replica(services::Role::Follower, &[1, 2, 3])), Role::Follower);
        assert_eq!(role(&replica(services::Role::PreCandidate, &[1, 2])), Role::Candidate);
        assert_eq!(role(&replica(services::Role::Leader, &[1])), Role::Leader);
    }
}
