//! What `/status` says, for those who write it and those who read it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A node at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// The cluster's name.
    pub cluster: String,
    /// The process id.
    pub pid: u32,
    /// The part it plays.
    pub role: Role,
    /// The name of the leader, if it knows one.
    pub leader: Option<String>,
    /// Its term.
    pub term: u64,
    /// The last index it knows to be committed.
    pub commit_index: u64,
    /// The last index whose effect it has applied.
    pub applied_index: u64,
    /// The names of the members of its map's group, as far as it knows, in order.
    pub members: Vec<String>,
    /// Where damaged logs of the node are kept, until somebody removes them.
    #[serde(default)]
    pub set_aside: Vec<String>,
    /// Milliseconds since the process started the node.
    pub uptime_ms: u64,
    /// One for each other member, in the order of their names.
    pub links: Vec<Link>,
}

/// How a node stands with one other member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The member's name.
    pub peer: String,
    /// Whether there is a living connection.
    pub connected: bool,
    /// The smoothed round-trip time in microseconds, while connected.
    pub round_trip_us: Option<u64>,
    /// Bytes that wait to be sent.
    pub queued_bytes: u64,
    /// Where the member listens for HTTP (`host:port`), if this node was told.
    pub http: Option<String>,
}

/// The part a node plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Leads.
    Leader,
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks for votes, or whether it would get them.
    Candidate,
    /// Holds the data and has no vote.
    Learner,
    /// Is no member of the group: removed, on its way out, or not taken in yet.
    Outsider,
}

impl Status {
    /// The living links.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.links.iter().filter(|link| link.connected).count()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Learner => "learner",
            Self::Outsider => "outsider",
        })
    }
}
