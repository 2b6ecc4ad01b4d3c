//! The files of a cluster of processes: written at the first start, found again at the next.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use synod::transport::{AUTHORITY_FILE, Authority, Identity, PeerName, Role, Validity};

use super::layout::{AUTHORITY, CLIENT, CLUSTER, Place};
use super::ports;
use crate::failure::Failure;

/// What a demo remembers between starts: a node's peers know it by its QUIC port.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    quic_ports: Vec<u16>,
}

const MEMORY: &str = "demo.toml";
const DAYS: u32 = 3650;

/// The QUIC ports of the demo in `root`: those of the last start, or fresh ones.
///
/// # Errors
/// When the demo there has another number of nodes, a port is taken, or files cannot be read or written.
pub(crate) fn quic_ports(root: &Path, nodes: u16) -> Result<Vec<u16>, Failure> {
    let path = root.join(MEMORY);
    if !path.exists() {
        let quic_ports = ports::choose_quic(nodes)?;
        let text = toml::to_string(&Memory { quic_ports: quic_ports.clone() })
            .map_err(|error| Failure::at(&path, "write it", error))?;
        write(&path, &text)?;
        return Ok(quic_ports);
    }
    let text = fs::read_to_string(&path).map_err(|error| Failure::at(&path, "read it", error))?;
    let memory: Memory = toml::from_str(&text)
        .map_err(|error| Failure::at(&path, "read it", error.to_string().trim().replace('\n', " ")))?;
    let found = memory.quic_ports.len();
    if found != usize::from(nodes) {
        return Err(Failure::new(format!(
            "--nodes: the demo in {} has {found} nodes; give --nodes {found} or another --dir",
            root.display()
        )));
    }
    ports::check_quic(&memory.quic_ports)?;
    Ok(memory.quic_ports)
}

/// Writes what the nodes need to start: authority and certificates, if they are missing, and configurations, in which each node
/// reaches its peers where they listen.
///
/// # Errors
/// Names the file.
pub(crate) fn prepare(root: &Path, places: &[Place]) -> Result<(), Failure> {
    prepare_by(root, places, |_, peer| peer.quic)
}

/// The same, with the addresses at which the first of two nodes reaches the second.
///
/// # Errors
/// Names the file.
pub(crate) fn prepare_by(
    root: &Path,
    places: &[Place],
    way: impl Fn(&Place, &Place) -> SocketAddr,
) -> Result<(), Failure> {
    let authority_directory = root.join(AUTHORITY);
    if !authority_directory.join(AUTHORITY_FILE).exists() {
        Authority::create(CLUSTER, Validity::days(DAYS))?.save(&authority_directory)?;
    }
    let authority = Authority::load(&authority_directory)?;
    for place in places {
        issue(&authority, &place.name, Role::Member, &place.directory)?;
        write(&place.config(), &place.text(places, |peer| way(place, peer)))?;
    }
    issue(&authority, CLIENT, Role::Client, &root.join(CLIENT))
}

/// Issues a credential unless the directory holds it.
fn issue(authority: &Authority, name: &str, role: Role, directory: &Path) -> Result<(), Failure> {
    if !directory.join(format!("{name}.pem")).exists() {
        let name = PeerName::new(name).expect("the names of a demo are names");
        authority.issue(&name, role, Validity::days(DAYS))?.save(directory)?;
    }
    Ok(())
}

/// The identity for clients of the demo in `root`, which is prepared.
///
/// # Errors
/// Names the file that cannot be read.
pub(crate) fn client_identity(root: &Path) -> Result<Identity, Failure> {
    let directory = root.join(CLIENT);
    let file = |name: String| directory.join(name);
    let (certificate, key) = (file(format!("{CLIENT}.pem")), file(format!("{CLIENT}-key.pem")));
    Ok(Identity::load(&certificate, &key, &file(AUTHORITY_FILE.to_owned()))?)
}

/// The last line that a node logged, for a failure.
pub(crate) fn last_words(place: &Place) -> String {
    let log = fs::read(place.log()).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let last = log.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it logged nothing").trim().to_owned()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::at(path, "write it", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_finds_ports_and_certificates_again() {
        let root = tempfile::tempdir().unwrap();
        let start = |http: u16| {
            let quic = quic_ports(root.path(), 2).unwrap();
            let http = [http, http + 1].map(|port| ([127, 0, 0, 1], port).into());
            let places = Place::all(root.path(), &http, &quic);
            prepare(root.path(), &places).unwrap();
            (
                quic,
                fs::read(places[1].directory.join("node-2.pem")).unwrap(),
                fs::read_to_string(places[0].config()).unwrap(),
            )
        };
        let (first, second) = (start(8080), start(9090));
        assert_eq!((&first.0, &first.1), (&second.0, &second.1));
        assert_eq!(client_identity(root.path()).unwrap().role(), Role::Client);
        assert!(first.2.contains("8080") && second.2.contains("9090"));
        let refusal = quic_ports(root.path(), 3).unwrap_err().to_string();
        assert!(refusal.contains("has 2 nodes"), "{refusal}");
    }
}
