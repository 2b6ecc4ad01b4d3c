//! Where everything of a cluster of processes is: names, addresses, files. Decides and writes nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The cluster's name.
pub(crate) const CLUSTER: &str = "demo";
/// The directory of the authority, in the demo's.
pub(super) const AUTHORITY: &str = "ca";
/// The directory of the credential for clients, in the demo's, and the name it bears.
pub(crate) const CLIENT: &str = "client";

/// One node of the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its name.
    pub(crate) name: String,
    /// Its directory.
    pub(crate) directory: PathBuf,
    /// Where it serves HTTP.
    pub(crate) http: SocketAddr,
    /// Where its peers reach it.
    pub(crate) quic: SocketAddr,
}

impl Place {
    /// The places of all nodes, below `root`.
    pub(crate) fn all(root: &Path, http: &[SocketAddr], quic: &[u16]) -> Vec<Self> {
        let place = |(number, (&http, &port)): (u16, (&SocketAddr, &u16))| {
            let name = format!("node-{number}");
            Self { directory: root.join(&name), name, http, quic: (Ipv4Addr::LOCALHOST, port).into() }
        };
        (1..).zip(http.iter().zip(quic)).map(place).collect()
    }

    /// Its configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.directory.join("node.toml")
    }

    /// Where it keeps its log and snapshots.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What it logs.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("log.txt")
    }

    /// The text of its configuration file, whose paths are relative to it. `way` gives where it reaches a peer.
    pub(crate) fn text(&self, all: &[Self], way: impl Fn(&Self) -> SocketAddr) -> String {
        let Self { name, http, quic, .. } = self;
        let mut text = format!(
            "# Written at each start.\n\
             cluster = \"{CLUSTER}\"\nnode = \"{name}\"\ndirectory = \"data\"\n\n\
             [listen]\nquic = \"{quic}\"\nhttp = \"{http}\"\n\n\
             [tls]\nauthority = \"ca.pem\"\ncertificate = \"{name}.pem\"\nkey = \"{name}-key.pem\"\n\n\
             [kv]\nclients = true\n\n\
             [peers]\n"
        );
        for peer in all.iter().filter(|peer| peer.name != *name) {
            text.push_str(&format!("{} = \"{}\"\n", peer.name, way(peer)));
        }
        text.push_str("\n[http.peers]\n");
        for peer in all.iter().filter(|peer| peer.name != *name) {
            text.push_str(&format!("{} = \"{}\"\n", peer.name, peer.http));
        }
        text
    }

    /// The command that starts the node by hand.
    pub(crate) fn command(&self, binary: &Path) -> String {
        format!("{} node --config {}", quoted(binary), quoted(&self.config()))
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synod::node::NodeConfig;

    fn three() -> Vec<Place> {
        let http: Vec<SocketAddr> = (8080..8083).map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect();
        Place::all(Path::new("/tmp/a b"), &http, &[7001, 7002, 7003])
    }

    #[test]
    fn the_configuration_is_one_that_a_node_takes() {
        let places = three();
        let config = NodeConfig::parse(
            &places[1].text(&places, |peer| peer.quic),
            "node.toml",
            &places[1].directory,
            &[],
        )
        .unwrap();
        assert!(config.kv.clients, "the credential of the demo's client is of use");
        let http = config.http.unwrap();
        assert_eq!((http.address, http.peers.len()), (places[1].http, 2));
        assert_eq!(config.directory, Path::new("/tmp/a b/node-2/data"));
        let peers: Vec<(&str, &str)> =
            config.peers.iter().map(|(name, at)| (name.as_str(), at.as_str())).collect();
        assert_eq!(peers, [("node-1", "127.0.0.1:7001"), ("node-3", "127.0.0.1:7003")]);
    }

    #[test]
    fn the_command_survives_a_shell() {
        let command = three()[0].command(Path::new("/opt/it's/synod"));
        assert_eq!(command, "'/opt/it'\\''s/synod' node --config '/tmp/a b/node-1/node.toml'");
    }
}
