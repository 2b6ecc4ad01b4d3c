//! The name in a certificate: who its owner is, as one DNS name.
//!
//! A member is `<node>.<cluster>.synod`, a client `<client>.client.<cluster>.synod`. Three labels or four: neither can be read as the other.

use crate::peer::{PeerName, Role};

/// The top of all names, which no public DNS knows.
const SUFFIX: &str = "synod";
/// The label that makes a name a client's.
const CLIENT: &str = "client";

/// Whom a certificate names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The node or client.
    pub name: PeerName,
    /// What it may be.
    pub role: Role,
    /// Its cluster.
    pub cluster: String,
}

impl Subject {
    /// The DNS name.
    #[must_use]
    pub fn dns_name(&self) -> String {
        match self.role {
            Role::Member => format!("{}.{}.{SUFFIX}", self.name, self.cluster),
            Role::Client => format!("{}.{CLIENT}.{}.{SUFFIX}", self.name, self.cluster),
        }
    }

    /// The subject of a DNS name, if it is one of ours.
    #[must_use]
    pub fn parse(dns_name: &str) -> Option<Self> {
        let labels: Vec<&str> = dns_name.split('.').collect();
        let (name, role, cluster) = match labels[..] {
            [name, cluster, SUFFIX] => (name, Role::Member, cluster),
            [name, CLIENT, cluster, SUFFIX] => (name, Role::Client, cluster),
            _ => return None,
        };
        Some(Self { name: PeerName::new(name)?, role, cluster: PeerName::new(cluster)?.as_str().to_owned() })
    }
}

/// The DNS name that stands for a cluster as a whole: its authority's, and what a seed is dialled by.
pub(crate) fn cluster_dns_name(cluster: &str) -> String {
    format!("{cluster}.{SUFFIX}")
}

/// The cluster that a DNS name stands for.
pub(crate) fn parse_cluster(dns_name: &str) -> Option<String> {
    let cluster = dns_name.strip_suffix(SUFFIX)?.strip_suffix('.')?;
    PeerName::new(cluster).map(|label| label.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_what_they_were() {
        for role in [Role::Member, Role::Client] {
            // A node and a cluster that bear the word which marks clients are the hard case.
            for (name, cluster) in [("a", "b"), ("client", "client"), ("n-1", "client"), ("client", "shop")] {
                let name = PeerName::new(name).expect("a name");
                let subject = Subject { name, role, cluster: cluster.to_owned() };
                assert_eq!(Subject::parse(&subject.dns_name()), Some(subject));
            }
        }
    }

    #[test]
    fn foreign_names_are_nobody() {
        for foreign in [
            "",
            "synod",
            "shop.synod",
            "a.b.c.synod",
            "a.shop.example",
            "A.shop.synod",
            "a..synod",
            "*.shop.synod",
        ] {
            assert_eq!(Subject::parse(foreign), None, "{foreign}");
        }
        assert_eq!(parse_cluster("shop.synod").as_deref(), Some("shop"));
        assert_eq!(parse_cluster("a.shop.synod"), None);
    }
}
